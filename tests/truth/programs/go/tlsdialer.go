// needs: certs dns
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
)

func main() {
	dialer := tls.Dialer{}
	connection, err := dialer.DialContext(context.Background(), "tcp", os.Args[1])
	fmt.Println(connection, err)
}
