package cloud

import (
	"os"
	"runtime/debug"
)

const (
	// amazonBundle is the file with the certificates that Amazon Linux trusts.
	amazonBundle = "/etc/pki/tls/certs/ca-bundle.crt"
	// gcPercent lets the heap grow to five times what is in use, and to 16 MB at least, before it is collected. So no collection
	// takes processor time from a start. The smallest function has 256 MB, and uses under 20.
	gcPercent = 400
)

// prepareProcess sets what makes the start of a function cheaper. Variables that someone has set are kept.
//
// Package crypto/x509 reads the bundle of trusted certificates, in SSL_CERT_FILE or in its usual place, and then all files in the
// usual directories. On Amazon Linux these directories hold the same bundle again. To read certificates takes more processor time
// than anything else in a start. So the bundle is all that a function trusts, unless SSL_CERT_DIR names directories.
func prepareProcess(bundle string) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if file := os.Getenv("SSL_CERT_FILE"); file != "" {
		bundle = file
	}
	if _, err := os.Stat(bundle); err == nil && os.Getenv("SSL_CERT_DIR") == "" {
		_ = os.Setenv("SSL_CERT_DIR", os.DevNull) // It fails only for an invalid name.
	}
}
