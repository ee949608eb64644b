// needs: certs dns
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	fmt.Println(response, err)
}
