// needs:
package main

import (
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	data, _ := os.ReadFile(os.Args[1])
	fmt.Println(x509.ParseCertificate(data))
}
