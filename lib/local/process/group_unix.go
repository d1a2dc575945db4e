//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// setGroup makes the process the first of a group of its own, so that its children can be ended with it.
func setGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminateGroup asks the processes of the group to end.
func terminateGroup(command *exec.Cmd) { _ = syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }

// killGroup ends the processes of the group. It fails if there are none.
func killGroup(command *exec.Cmd) { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
