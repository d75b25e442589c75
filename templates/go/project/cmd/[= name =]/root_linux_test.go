package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// enterRoot makes cmd see root as its whole file system; an ordinary user does it in a user namespace.
func enterRoot(cmd *exec.Cmd, root string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	}
	cmd.Path = "/app"
	cmd.Dir = "/"
}

func TestItRunsAloneInAnEmptyRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	binary := build(t)
	if err := os.Link(binary, filepath.Join(root, "app")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	p := launch(t, binary, root)
	if status, err := p.get("/v1/targets"); err != nil || status != 200 {
		t.Errorf("answered %d, %v", status, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.log)
	}
}
