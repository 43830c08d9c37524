// SECRET=whsec_… go run webhook.go WEBHOOK-ID WEBHOOK-TIMESTAMP WEBHOOK-SIGNATURE [NOW] < payload
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

// isOurs verifies a signature. The payload is a POST's body, or a GET's path and query in double quotes, exactly as
// received: `"` + r.RequestURI + `"`.
func isOurs(secret, id, timestamp, signatures string, payload []byte, now time.Time) bool {
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if age := now.Unix() - sent; err != nil || age > 300 || age < -300 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, payload)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, one := range strings.Split(signatures, " ") {
		if hmac.Equal([]byte(expected), []byte(one)) {
			return true
		}
	}
	return false
}

func main() {
	payload, err := io.ReadAll(os.Stdin)
	if err != nil || len(os.Args) < 4 {
		log.Fatal("give webhook-id, webhook-timestamp and webhook-signature; the payload on standard input")
	}
	now := time.Now()
	if len(os.Args) > 4 {
		seconds, _ := strconv.ParseInt(os.Args[4], 10, 64)
		now = time.Unix(seconds, 0)
	}
	if isOurs(os.Getenv("SECRET"), os.Args[1], os.Args[2], os.Args[3], payload, now) {
		fmt.Println("ours")
	} else {
		fmt.Println("not ours")
	}
}
