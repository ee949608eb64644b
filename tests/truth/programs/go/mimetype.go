// needs:
// asks: mime
package main

import (
	"fmt"
	"mime"
	"os"
)

func main() {
	found := mime.TypeByExtension(os.Args[1])
	fmt.Println(found)
	if found == "" {
		os.Exit(1)
	}
}
