// Command probe is what an attacker brings along: one static program that tries what it is told to and prints what came of
// it, one JSON object a line. It judges nothing; the tests do.
//
//	probe run JSON        tries each of a list of attempts, all at once, and prints their outcomes in the list's order
//	probe early JSON      tries each of them again and again from the first millisecond, for as long as it says
//	probe serve JSON      answers on ports: what the attempts are made against
//	probe fork|eat|fill   harms: processes, memory, disk
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func decode(text string, into any) {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		fail(err)
	}
}

func printLine(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: probe run|early|serve|fork|eat|fill ARGUMENT"))
	}
	switch argument := os.Args[2]; os.Args[1] {
	case "run":
		run(argument)
	case "early":
		early(argument)
	case "serve":
		serve(argument)
	case "fork":
		fork(argument)
	case "eat":
		eat(argument)
	case "fill":
		fill(argument)
	default:
		fail(fmt.Errorf("unknown: %s", os.Args[1]))
	}
}
