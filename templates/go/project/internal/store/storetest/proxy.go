package storetest

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy stands between the code and a PostgreSQL server, and can take the server away without a word, as a stopped
// machine or a firewall does: connections are accepted and nothing answers.
type Proxy struct {
	URL string

	server string
	mu     sync.Mutex
	frozen chan struct{} // nil while it passes everything on
	held   chan struct{}
	open   map[net.Conn]struct{}
}

// NewProxy makes one for the server of a database's URL; it ends with the test.
func NewProxy(t *testing.T, database string) *Proxy {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	p := &Proxy{server: u.Host, held: make(chan struct{}, 1), open: map[net.Conn]struct{}{}}
	u.Host = listener.Addr().String()
	p.URL = u.String()
	t.Cleanup(func() {
		_ = listener.Close()
		p.Thaw()
		p.Cut()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

// Freeze lets nothing through from now on, in either direction.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw lets through what waits, and all that follows.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// Cut ends every connection; new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
}

// AwaitHeld returns when something waits to be let through.
func (p *Proxy) AwaitHeld(t *testing.T) {
	t.Helper()
	select {
	case <-p.held:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was sent to the database")
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, client)
	delete(p.open, server)
}

// pass copies until one side ends, and then ends the other.
func (p *Proxy) pass(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.wait()
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) wait() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen == nil {
		return
	}
	select {
	case p.held <- struct{}{}:
	default:
	}
	<-frozen
}
