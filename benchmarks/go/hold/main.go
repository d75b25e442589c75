// Command hold opens many connections, asks once on each, and keeps them until a line comes in; then it asks once more.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	atOnce      = 100
	perAddress  = 20_000 // fewer than one address has ports
	askDeadline = 30 * time.Second
)

type connection struct {
	net.Conn
	reader *bufio.Reader
}

func main() {
	addr := flag.String("addr", "", "the server, as host:port")
	path := flag.String("path", "/livez", "what to ask for")
	number := flag.Int("connections", 10_000, "how many")
	flag.Parse()
	held := make([]connection, *number)
	report("opened", each(held, func(i int) error {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/perAddress))}
		conn, err := (&net.Dialer{LocalAddr: from, Timeout: askDeadline}).Dial("tcp", *addr)
		if err != nil {
			return err
		}
		held[i] = connection{conn, bufio.NewReaderSize(conn, 512)}
		return held[i].ask(*addr, *path)
	}))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	report("still answered", each(held, func(i int) error { return held[i].ask(*addr, *path) }))
}

// each works on all connections, some at once, and gives how many failed.
func each(held []connection, work func(int) error) int {
	var failed, next atomic.Int64
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(held); i = next.Add(1) - 1 {
				if work(int(i)) != nil {
					failed.Add(1)
				}
			}
		})
	}
	running.Wait()
	return int(failed.Load())
}

func (c connection) ask(addr, path string) error {
	if c.Conn == nil {
		return net.ErrClosed
	}
	_ = c.SetDeadline(time.Now().Add(askDeadline))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func report(what string, failed int) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"what": what, "failed": failed})
}
