// Checks a certificate against the system's roots, without a connection.
// needs: certs
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	data, _ := os.ReadFile(os.Args[1])
	block, _ := pem.Decode(data)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err == nil {
		_, err = certificate.Verify(x509.VerifyOptions{})
	}
	fmt.Println(err)
}
