// needs: passwd
package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() { fmt.Println(user.LookupId(os.Args[1])) }
