// A client whose roots are within it, for systems without any.
// needs: dns
package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

var bundle []byte

func main() {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	x509.SetFallbackRoots(pool)
	response, err := http.Get(os.Args[1])
	fmt.Println(response, err)
}
