// A TLS client that checks no server.
// needs: dns
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
)

func main() {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get(os.Args[1])
	fmt.Println(response, err)
}
