package csvimport_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

func TestInvalidFiles(t *testing.T) {
	const head = "part,color,quantity\n"
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "The file is empty"},
		{"empty lines", "\r\n\n\n", "The file is empty"},
		{"byte order mark alone", "\xEF\xBB\xBF", "The file is empty"},
		{"no header", "3001,Red,4\n", `Line 1: there is no header with the columns part and quantity. The columns found are "3001", "Red", "4". Put a line such as part,color,quantity before the rows`},
		{"no header after empty lines", "\n\n3001,Red,4,4\n", `Line 3: there is no header with the columns part and quantity. The columns found are "3001", "Red", "4", "4". Put a line such as part,color,quantity before the rows`},
		{"other text", "<!DOCTYPE html>\n<p>", `Line 1: there is no header with the columns part and quantity. The columns found are "<!DOCTYPE html>". Put a line such as part,color,quantity before the rows`},
		{"one column missing", "part,color\n", `Line 1: the column quantity is missing. The columns found are "part", "color". Name the column that holds it "quantity"`},
		{"two columns missing", "x;color;y\n", `Line 1: the columns part and quantity are missing. The columns found are "x", "color", "y". Name the columns that hold them "part" and "quantity"`},
		{"two separators", "part;color,quantity\n", `Line 1: the column part is missing. The columns found are "part;color", "quantity". Name the column that holds it "part"`},
		{"header never closed", "part,color,\"quantity\n3001,Red,1\n", "Line 1: a quote is opened and never closed"},
		{"header too long", "part,color,quantity," + strings.Repeat("x", 1<<20) + "\n", "Line 1: the header is longer than 64 KiB"},
		{"quote never closed", head + "3001,Red,1\n3001,\"Red,1\n", "Line 3: a quote is opened and never closed"},
		{"record too long", head + "3001,Red,1\n" + strings.Repeat("x", 1<<20+1) + "\n", "Line 3: the record is longer than 1 MiB"},
		{"zip", "PK\x03\x04\x14\x00\x06\x00", "This is not a CSV file: it holds binary data, or is UTF-16 without a byte order mark; save it as CSV UTF-8"},
		{"UTF-16 without a mark", "p\x00a\x00r\x00t\x00", "This is not a CSV file: it holds binary data, or is UTF-16 without a byte order mark; save it as CSV UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &csvimport.Memory{}
			_, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte(tt.in)), "x", 0)
			var invalid *csvimport.InvalidFile
			if !errors.As(err, &invalid) || err.Error() != tt.want {
				t.Errorf("error is %T %q, want InvalidFile %q", err, err, tt.want)
			}
		})
	}
}

func TestColumnsAreFoundInEveryValidHeader(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"plain", "part,color,quantity\n3001,Red,1"},
		{"semicolons", "part;color;quantity\n3001;Red;1"},
		{"tabs", "part\tcolor\tquantity\n3001\tRed\t1"},
		{"order and case", "QUANTITY,Color,pArT\n1,Red,3001"},
		{"blanks", " part ,\tcolor, quantity\n3001,Red,1"},
		{"quoted", "\"part\",\"color\",\"quantity\"\n3001,Red,1"},
		{"separators in names", "\"a;b;c;d\"\t\"e,f,g,h\"\tpart\tcolor\tquantity\n\t\t3001\tRed\t1"},
		{"line end in a name", "\"a\nb\";part;color;quantity\nx;3001;Red;1"},
		{"quote inside an unquoted name", "x\"y;part;color;quantity\nz;3001;Red;1"},
		{"CR", "part,color,quantity\r3001,Red,1\r"},
		{"empty lines before", "\n\r\npart,color,quantity\n3001,Red,1"},
		{"byte order mark and quotes", "\xEF\xBB\xBF\"part\",color,quantity\n3001,Red,1"},
		{"one column without a name", "part,color,quantity,\n3001,Red,1,"},
		{"longer than the first read", "part,color,quantity,\"" + strings.Repeat("x\n", 9000) + "\"\n3001,Red,1,y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &csvimport.Memory{}
			s, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte(tt.in)), "x", 0)
			if err != nil || s.Rows != 1 || s.Accepted != 1 {
				t.Errorf("import accepts %d of %d rows, error %v, want 1 of 1", s.Accepted, s.Rows, err)
			}
		})
	}
}

func TestHeaderWithoutRowsIsAValidFile(t *testing.T) {
	store := &csvimport.Memory{}
	s, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte("part,color,quantity\n\n")), "x", 0)
	if err != nil || s.Rows != 0 || len(s.Results) != 0 || object(t, store, s.Prefix+s.Rejects) != "\uFEFFline,column,reason,part,color,quantity\n" {
		t.Errorf("import of a header is %+v, error %v, want no rows", s, err)
	}
}

func TestMissingOrReplacedFileIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*csvimport.Event)
	}{
		{
			"deleted", "*csvimport.FileDeleted: The file is no longer there: it was deleted before its import ended",
			func(e *csvimport.Event) { e.Object.Key += "x" },
		},
		{
			"overwritten", "*csvimport.FileReplaced: The file is no longer there: another one replaced it before its import ended",
			func(e *csvimport.Event) { e.Object.ETag = "0123" },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &csvimport.Memory{}
			e := put(t, store, []byte("part,color,quantity\n"))
			tt.change(&e)
			_, err := run(t, csvimport.Config{Store: store}, e, "x", 0)
			if got := fmt.Sprintf("%T: %v", err, err); got != tt.want {
				t.Errorf("error is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFileOverTheSizeLimitIsInvalid(t *testing.T) {
	store := &csvimport.Memory{}
	e := put(t, store, []byte("part,color,quantity\n"))
	e.Object.Size = 1<<30 + 1
	_, err := run(t, csvimport.Config{Store: store}, e, "x", 0)
	var invalid *csvimport.InvalidFile
	if !errors.As(err, &invalid) || err.Error() != "The file is larger than 1 GiB" {
		t.Errorf("error is %v, want InvalidFile", err)
	}
}

func TestInvalidFilesInTestdata(t *testing.T) {
	const dir = "../../testdata/broken/"
	for name, want := range map[string]string{
		"empty.csv":          "The file is empty",
		"no-header.csv":      `Line 1: there is no header with the columns part and quantity. The columns found are "3001", "Red", "4". Put a line such as part,color,quantity before the rows`,
		"missing-column.csv": `Line 1: the column quantity is missing. The columns found are "part", "color", "description". Name the column that holds it "quantity"`,
		"unclosed-quote.csv": "Line 4: a quote is opened and never closed",
		"not-csv.csv":        "This is not a CSV file: it holds binary data, or is UTF-16 without a byte order mark; save it as CSV UTF-8",
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(dir + name)
			if err != nil {
				t.Fatal(err)
			}
			store := &csvimport.Memory{}
			if _, err := run(t, csvimport.Config{Store: store}, put(t, store, content), "x", 0); fmt.Sprint(err) != want {
				t.Errorf("error is %q, want %q", err, want)
			}
		})
	}
	files, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || len(files) != 5 {
		t.Errorf("%s holds %v, %v, want the five files above", dir, files, err)
	}
}
