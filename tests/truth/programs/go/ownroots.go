// A TLS client that checks servers against a root of its own alone.
// needs: dns
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	pem, _ := os.ReadFile(os.Args[2])
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	connection, err := tls.Dial("tcp", os.Args[1], &tls.Config{RootCAs: pool})
	fmt.Println(connection, err)
}
