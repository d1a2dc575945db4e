//go:build !unix

package process

import "os/exec"

func setGroup(*exec.Cmd) {}

func terminateGroup(*exec.Cmd) {}

// killGroup ends the process only: this system has no groups of processes.
func killGroup(command *exec.Cmd) { _ = command.Process.Kill() }
