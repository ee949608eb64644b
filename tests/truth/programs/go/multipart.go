// needs: tmp
package main

import (
	"fmt"
	"mime/multipart"
	"os"
)

func main() { fmt.Println(multipart.NewReader(os.Stdin, "x").ReadForm(1)) }
