// needs: certs
package main

import (
	"crypto/x509"
	"fmt"
)

func main() {
	pool, err := x509.SystemCertPool()
	fmt.Println(len(pool.Subjects()), err)
}
