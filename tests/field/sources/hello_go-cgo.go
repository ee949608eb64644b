package main
import ("fmt";"net")
func main(){ _,err:=net.LookupHost("localhost"); fmt.Println(err); p,err:=net.LookupPort("tcp","postgresql"); fmt.Println(p,err) }
