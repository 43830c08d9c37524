// POSTBACK_URL=https://… PROVIDER=acme SECRET=… go run postback-signed.go user_id=12345 click_id=67890 …
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"
)

func encode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// sign returns the signature of these parameters. Send it with them, as "signature".
func sign(parameters url.Values, provider, secret string) string {
	encoded := map[string]string{"provider": provider}
	names := []string{"provider"}
	for name := range parameters {
		encoded[encode(name)] = encode(parameters.Get(name))
		names = append(names, encode(name))
	}
	sort.Strings(names)
	pairs := make([]string, len(names))
	for at, name := range names {
		pairs[at] = name + "=" + encoded[name]
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return hex.EncodeToString(mac.Sum(nil))
}

// send returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses.
func send(base string, parameters url.Values, provider, secret string) (int, string, error) {
	query := parameters.Encode() + "&signature=" + sign(parameters, provider, secret)
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(base + "?" + query)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func main() {
	parameters := url.Values{}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		parameters.Set(name, value)
	}
	status, body, err := send(os.Getenv("POSTBACK_URL"), parameters, os.Getenv("PROVIDER"), os.Getenv("SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status, body)
}
