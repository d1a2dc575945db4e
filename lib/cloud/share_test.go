package cloud_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Lambda function with 1,769 MB has a whole processor (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
// So one with 256 MB has 0.145 of a processor: in each period, a process with this share may run for the quota.
const (
	sharePeriod = 100_000 // µs
	shareQuota  = 14_500  // µs

	wholeProcessorMB = 1769
)

// share is a Linux control group for one process. It can limit the processor time of the process.
type share struct {
	folder  string
	quota   int  // µs in each period
	unified bool // the group is one of version 2 of control groups
}

// newShare returns a new control group. It skips the test if it cannot make one: that needs root on Linux, and the cpu controller
// of version 1 or 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html).
func newShare(tb testing.TB) share {
	tb.Helper()
	s := share{folder: "/sys/fs/cgroup/cpu", quota: shareQuota}
	if _, err := os.Stat(filepath.Join(s.folder, "cpu.cfs_quota_us")); err != nil {
		s = share{folder: "/sys/fs/cgroup", quota: shareQuota, unified: true}
	}
	s.folder = filepath.Join(s.folder, "herald-"+rand.Text())
	if err := os.Mkdir(s.folder, 0o755); err != nil {
		tb.Skipf("control groups cannot be written: %v", err)
	}
	tb.Cleanup(func() { s.remove(tb) })
	if err := errors.Join(s.limit(false), s.prefer()); err != nil {
		tb.Skipf("processor time cannot be limited: %v", err)
	}
	return s
}

// remove removes the group, once the kernel has seen that its process has ended.
func (s share) remove(tb testing.TB) {
	tb.Helper()
	var err error
	for range 100 {
		if err = os.Remove(s.folder); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Error(err)
}

// limit limits the group to its quota, the share of a function with 256 MB unless that was changed, if on is set, otherwise it removes the limit.
func (s share) limit(on bool) error {
	quota, unlimited, file := strconv.Itoa(s.quota), "-1", "cpu.cfs_quota_us"
	if s.unified {
		unlimited, file = "max", "cpu.max"
	}
	if !on {
		quota = unlimited
	}
	if s.unified {
		return s.write(file, fmt.Sprintf("%s %d", quota, sharePeriod))
	}
	return errors.Join(s.write("cpu.cfs_period_us", strconv.Itoa(sharePeriod)), s.write(file, quota))
}

// prefer gives the group processor time before other work of this machine, so that what else runs disturbs little.
func (s share) prefer() error {
	if s.unified {
		return s.write("cpu.weight", "10000")
	}
	return s.write("cpu.shares", "262144")
}

// write writes a value to a file of the group.
func (s share) write(file, value string) error {
	return os.WriteFile(filepath.Join(s.folder, file), []byte(value), 0o600)
}

// command returns the command that runs a program in the group from its beginning.
func (s share) command(tb testing.TB, path string) *exec.Cmd {
	tb.Helper()
	return exec.CommandContext(tb.Context(), "/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$1"`, s.folder, path)
}

// throttled returns the number of periods in which the group used up its quota.
func (s share) throttled(tb testing.TB) int {
	tb.Helper()
	stat, err := os.ReadFile(filepath.Join(s.folder, "cpu.stat"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(stat)) {
		if count, found := strings.CutPrefix(line, "nr_throttled "); found {
			n, err := strconv.Atoi(strings.TrimSpace(count))
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	return 0
}
