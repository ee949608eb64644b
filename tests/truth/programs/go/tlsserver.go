// needs:
package main

import (
	"fmt"
	"net/http"
)

func main() { fmt.Println(http.ListenAndServeTLS("127.0.0.1:0", "cert.pem", "key.pem", nil)) }
