//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	maxBinarySize = 20 << 20
	patience      = 15 * time.Second
)

// build builds the release binary, as the Makefile and the image do.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "app")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func TestTheBinaryIsStaticSmallAndReproducible(t *testing.T) {
	t.Parallel()
	binary := build(t)
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "CGO_ENABLED" && s.Value == "0" }) {
		t.Error("cgo was on")
	}
	if runtime.GOOS == "linux" {
		file, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		for _, p := range file.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("a dynamic loader is needed: %v", p.Type)
			}
		}
	}
	stat, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if stat.Size() > maxBinarySize {
		t.Errorf("%d bytes are more than %d", stat.Size(), maxBinarySize)
	}
	if digest(t, binary) != digest(t, build(t)) {
		t.Error("two builds differ")
	}
}

func digest(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

// process is a running binary.
type process struct {
	cmd *exec.Cmd
	url string
	log *bytes.Buffer
}

// launch starts "serve" and waits until it answers. It finds free ports by itself.
func launch(t *testing.T, binary, root string, environ ...string) *process {
	t.Helper()
	port := freePort(t)
	p := &process{cmd: exec.Command(binary, "serve"), url: "http://127.0.0.1:" + port, log: new(bytes.Buffer)}
	p.cmd.Env = append([]string{"PORT=" + port, "ADMIN_PORT=" + freePort(t), "RATE_LIMIT_PER_SECOND=1e6", "RATE_LIMIT_BURST=1000000"}, environ...)
	p.cmd.Stderr = p.log
	if root != "" {
		enterRoot(p.cmd, root)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, err := p.get("/readyz"); err == nil && status == http.StatusOK {
			return p
		}
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	t.Fatalf("not ready within %v: %s", patience, p.log)
	return nil
}

func (p *process) get(path string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func TestItStopsWithZeroOnSIGTERM(t *testing.T) {
	t.Parallel()
	p := launch(t, build(t), "", "DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "app.db"))
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.log)
	}
}

func TestWhatWasAcknowledgedSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	binary, db := build(t), "DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "app.db")
	p := launch(t, binary, "", db)
	locations := make(chan string, 100_000)
	go func() {
		defer close(locations)
		for i := 0; ; i++ {
			body := fmt.Sprintf(`{"name":"target %d","url":"https://example.com","enabled":false}`, i)
			resp, err := http.Post(p.url+"/v1/targets", "application/json", strings.NewReader(body))
			if err != nil {
				return
			}
			if resp.StatusCode == http.StatusCreated {
				locations <- resp.Header.Get("Location")
			}
			_ = resp.Body.Close()
		}
	}()
	for len(locations) < 50 {
		time.Sleep(time.Millisecond)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	again := launch(t, binary, "", db)
	for location := range locations {
		if status, err := again.get(location); err != nil || status != http.StatusOK {
			t.Errorf("%s is lost: %d, %v", location, status, err)
		}
	}
}

func TestEveryMistakeInTheEnvironmentIsNamedInOneGo(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), build(t), "serve")
	cmd.Env = []string{"PORT=x", "DATABASE_URL=oracle://x", "LOG_LEVEL=loud"}
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Contains(string(out), "goroutine") {
		t.Errorf("%v: %s", err, out)
	}
	for _, name := range []string{"PORT", "DATABASE_URL", "LOG_LEVEL"} {
		if !strings.Contains(string(out), name) {
			t.Errorf("%s is not named: %s", name, out)
		}
	}
}
