package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func numberOf(argument string) int {
	n, err := strconv.Atoi(argument)
	if err != nil {
		fail(err)
	}
	return n
}

// fork starts so many processes that sleep for a minute, and says how many it could have before the kernel refused.
func fork(argument string) {
	if argument == "child" {
		time.Sleep(time.Minute)
		return
	}
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	var started []*os.Process
	refused := ""
	for range numberOf(argument) {
		process, err := os.StartProcess(self, []string{self, "fork", "child"}, &os.ProcAttr{Files: []*os.File{nil, nil, nil}})
		if err != nil {
			refused = nameOf(err)
			break
		}
		started = append(started, process)
	}
	printLine(map[string]any{"started": len(started), "refused": refused})
	for _, process := range started {
		_ = process.Kill()
		_, _ = process.Wait()
	}
}

// eat takes so many MiB of memory, one after another, and touches every page.
func eat(argument string) {
	var kept [][]byte
	for i := range numberOf(argument) {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		kept = append(kept, block)
		if i%256 == 255 {
			fmt.Println(len(kept))
		}
	}
	printLine(map[string]any{"eaten": len(kept)})
}

// fill writes a file of so many MiB into a folder given as FOLDER=MIB, and says how far it got.
func fill(argument string) {
	var folder string
	var mib int
	for i := len(argument) - 1; i >= 0; i-- {
		if argument[i] == '=' {
			folder, mib = argument[:i], numberOf(argument[i+1:])
			break
		}
	}
	file, err := os.Create(folder + "/filler")
	if err != nil {
		fail(err)
	}
	block := make([]byte, 1<<20)
	written := 0
	refused := ""
	for ; written < mib; written++ {
		if _, err := file.Write(block); err != nil {
			refused = nameOf(err)
			break
		}
	}
	printLine(map[string]any{"written": written, "refused": refused})
}
