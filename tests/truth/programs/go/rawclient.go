// needs: certs dns
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
)

func main() {
	plain, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tls.Client(plain, &tls.Config{ServerName: os.Args[2]}).Handshake())
}
