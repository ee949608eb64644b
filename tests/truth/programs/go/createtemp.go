// needs: tmp
package main

import (
	"fmt"
	"os"
)

func main() {
	file, err := os.CreateTemp("", "x")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(file.Name())
}
