package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// serve answers every HTTP request and every datagram with its own name, on each of the addresses, until it is told to end.
func serve(argument string) {
	var asked struct {
		Name string   `json:"name"`
		TCP  []string `json:"tcp"`
		UDP  []string `json:"udp"`
	}
	decode(argument, &asked)
	answer := http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(response, "%s %s", asked.Name, request.RemoteAddr)
	})
	for _, address := range asked.TCP {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fail(err)
		}
		go func() { fail(http.Serve(listener, answer)) }()
	}
	for _, address := range asked.UDP {
		connection, err := net.ListenPacket("udp", address)
		if err != nil {
			fail(err)
		}
		go func() {
			for {
				if _, from, err := connection.ReadFrom(make([]byte, 1500)); err == nil {
					_, _ = connection.WriteTo([]byte(asked.Name), from)
				}
			}
		}()
	}
	printLine(map[string]string{"serving": asked.Name})
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
