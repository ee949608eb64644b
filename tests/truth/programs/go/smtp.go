// needs: certs dns
package main

import (
	"fmt"
	"net/smtp"
	"os"
)

func main() {
	fmt.Println(smtp.SendMail(os.Args[1], nil, "a@example.com", []string{"b@example.com"}, []byte("hello")))
}
