package local

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/web"
)

// The paths that the page requests in addition to its files and [TokenPath].
const (
	pageConfigPath = "/herald.config.json"
	timelinePath   = "/_herald/timeline"
	rejectedPath   = "/_herald/rejected.csv"
)

// defaultUsers are the users of the page.
var defaultUsers = []string{"dev", "ada"}

// page serves the page that shows the jobs of the twin's users, and the data that this page requests.
type page struct {
	twin    *Twin
	files   fs.FS
	results csvimport.Store             // the results of imports
	routes  map[string]http.HandlerFunc // by method and path, such as "GET /"
}

func newPage(t *Twin) (*page, error) {
	files, err := fs.Sub(web.Files(), "page")
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot happen: page is a valid path
	}
	names, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot happen: the files are embedded
	}
	p := &page{twin: t, files: files, results: t.Objects()}
	p.routes = map[string]http.HandlerFunc{
		http.MethodGet + " /":                 p.serveFile,
		http.MethodGet + " " + pageConfigPath: p.serveConfig,
		http.MethodPost + " " + TokenPath:     p.serveToken,
		http.MethodGet + " " + timelinePath:   p.serveTimeline,
		http.MethodGet + " " + rejectedPath:   p.serveRejected,
	}
	for _, file := range names {
		p.routes[http.MethodGet+" /"+file.Name()] = p.serveFile
	}

	return p, nil
}

// route returns the handler of a request for the page, or nil if the request is for S3. A request of an AWS client is for S3. Its
// signature is in the header Authorization, or in the query with X-Amz-Algorithm. An unsigned one has the operation's name in x-id.
func (p *page) route(r *http.Request) http.HandlerFunc {
	query := r.URL.Query()
	if r.Header.Get("Authorization") != "" || query.Has("X-Amz-Algorithm") || query.Has("x-id") {
		return nil
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}

	return p.routes[method+" "+r.URL.Path]
}

// serve answers a request for the page. Nothing may be cached: tokens are secrets, and another twin may use the port next.
func (p *page) serve(w http.ResponseWriter, r *http.Request, handler http.HandlerFunc) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	// loopback.Only has checked that r.Host is an allowed name. The page uploads to the endpoint, whose host may differ from r.Host.
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self' ws://"+r.Host+" "+p.twin.Endpoint()+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	handler(w, r)
}

func (p *page) serveFile(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if name == "/" {
		name = "index.html"
	}
	content, err := fs.ReadFile(p.files, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(content) // It fails only if the browser has disconnected.
}

// pageConfig is what the page reads at its start. lib/web/README.md describes it.
type pageConfig struct {
	URL   string     `json:"url"`
	Users []pageUser `json:"users"`
}

type pageUser struct {
	Name        string `json:"name"`
	TokenURL    string `json:"tokenUrl"`
	TimelineURL string `json:"timelineUrl"`
	RejectedURL string `json:"rejectedUrl"`
}

func (p *page) serveConfig(w http.ResponseWriter, r *http.Request) {
	config := pageConfig{URL: "ws://" + r.Host + "/" + Stage}
	for _, user := range p.twin.config.Users {
		query := "?user=" + url.QueryEscape(user)
		config.Users = append(config.Users, pageUser{
			Name: user, TokenURL: TokenPath + query, TimelineURL: timelinePath + query + "&job={job}", RejectedURL: rejectedPath + query + "&job={job}",
		})
	}
	p.answerJSON(w, r, config)
}

// serveToken answers a POST with a token. A page of another port on this machine can send the POST, but the browser does not let the
// page read the answer, because the answer has no CORS headers. The user may be any user, because the program or page that asks runs on
// this machine.
func (p *page) serveToken(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	if user == "" {
		http.Error(w, "A token is requested with a user in the query", http.StatusBadRequest)
		return
	}
	token, err := p.twin.Token(user, requestedTokenLife)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.answerJSON(w, r, struct {
		Token string `json:"token"`
	}{token})
}

// serveTimeline answers with the states that the execution of a job went through.
func (p *page) serveTimeline(w http.ResponseWriter, r *http.Request) {
	user, ok := p.user(w, r)
	if !ok {
		return
	}
	row, err := p.twin.config.Feed.Job(r.Context(), feed.User(user), r.URL.Query().Get("job"))
	if errors.Is(err, feed.ErrNotFound) || err == nil && row.Execution == "" {
		http.Error(w, "No execution has reported this job", http.StatusNotFound)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	timeline, err := readTimeline(r.Context(), p.twin.states, row.Execution)
	if err != nil {
		http.Error(w, "The execution of this job is not stored any more", http.StatusNotFound)
		return
	}
	p.answerJSON(w, r, timeline)
}

// serveRejected answers with the rows of an upload that were rejected, as a file to store.
func (p *page) serveRejected(w http.ResponseWriter, r *http.Request) {
	user, ok := p.user(w, r)
	if !ok {
		return
	}
	summary, err := csvimport.ReadSummary(r.Context(), p.results, user, r.URL.Query().Get("job"))
	if errors.Is(err, csvimport.ErrNotFound) {
		http.Error(w, "This upload has no results", http.StatusNotFound)
		return
	}
	var body io.ReadCloser
	if err == nil {
		// From offset 0, without a limit of the length.
		body, err = p.results.Get(r.Context(), csvimport.Object{Key: summary.Prefix + summary.Rejects}, 0, -1)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	defer body.Close()
	name := strings.TrimSuffix(summary.FileName, path.Ext(summary.FileName)) + "-rejected.csv"
	w.Header().Set("Content-Type", csvimport.ContentType(name))
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	_, _ = io.Copy(w, body) // It fails only if the browser has disconnected, or the twin is closing.
}

// user returns the user that the request names. It answers 404 for anyone but the page's users.
func (p *page) user(w http.ResponseWriter, r *http.Request) (string, bool) {
	user := r.URL.Query().Get("user")
	if !slices.Contains(p.twin.config.Users, user) {
		http.Error(w, "The page has no such user", http.StatusNotFound)
		return "", false
	}
	return user, true
}

func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.twin.log.WarnContext(r.Context(), "page request failed", "path", r.URL.Path, "err", err)
	http.Error(w, "The twin could not answer; its log has the reason", http.StatusInternalServerError)
}

func (p *page) answerJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // It fails only if the browser has disconnected.
}
