package cloud

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// TestFunctionsReadOneBundleOfCertificates checks that crypto/x509 reads the bundle and no directory, unless someone names one.
func TestFunctionsReadOneBundleOfCertificates(t *testing.T) {
	bundle, missing := filepath.Join(t.TempDir(), "bundle.pem"), filepath.Join(t.TempDir(), "missing.pem")
	if err := os.WriteFile(bundle, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, systemBundle, certFile, certDir, want string }{
		{"the system's bundle", bundle, "", "", os.DevNull},
		{"no bundle of Amazon Linux", missing, "", "", ""},
		{"another bundle", missing, bundle, "", os.DevNull},
		{"a bundle that is missing", bundle, missing, "", ""},
		{"a directory", bundle, bundle, "/certificates", "/certificates"},
	} {
		t.Setenv("SSL_CERT_FILE", tt.certFile)
		t.Setenv("SSL_CERT_DIR", tt.certDir)
		prepareProcess(tt.systemBundle)
		if got := os.Getenv("SSL_CERT_DIR"); got != tt.want {
			t.Errorf("%s: SSL_CERT_DIR is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFunctionsDoNotCollectGarbageWhileTheyStart(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	t.Setenv("SSL_CERT_DIR", "/certificates")
	t.Setenv("GOGC", "50")
	prepareProcess("")
	if got := debug.SetGCPercent(50); got != 50 {
		t.Errorf("GOGC is ignored: %d", got)
	}
	t.Setenv("GOGC", "")
	prepareProcess("")
	if got := debug.SetGCPercent(50); got != gcPercent {
		t.Errorf("the target is %d %%, want %d", got, gcPercent)
	}
}
