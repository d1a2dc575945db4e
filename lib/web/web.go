// Package web contains the built browser side of Herald: the TypeScript client, its React hooks and uploads, and the page.
// `npm run build` writes the files from src.
package web

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Files returns the built files, with paths such as herald.js.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // cannot happen: dist is a valid path
	}
	return files
}
