//go:build unix

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// allowances are what a module may add to maxBinarySize.
var allowances = map[string]int64{"connectrpc.com/connect": 2 << 20}

// folder is where the tests' binaries are.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "binary"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

// compile builds the release binary, as the Makefile and the image do.
func compile(name string) (string, error) {
	binary := filepath.Join(folder, name)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

var once = sync.OnceValues(func() (string, error) { return compile("app") })

// build gives every test the same binary.
func build(t *testing.T) string {
	t.Helper()
	binary, err := once()
	if err != nil {
		t.Fatal(err)
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
	allowed := int64(maxBinarySize)
	for _, module := range info.Deps {
		allowed += allowances[module.Path]
	}
	if stat.Size() > allowed {
		t.Errorf("%d bytes are more than %d", stat.Size(), allowed)
	}
	again, err := compile("again")
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, binary) != digest(t, again) {
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
