// needs:
// asks: mime
package main

import (
	"fmt"
	"net/http"
)

func main() { fmt.Println(http.ListenAndServe("127.0.0.1:0", http.FileServer(http.Dir(".")))) }
