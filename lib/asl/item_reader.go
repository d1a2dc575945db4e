package asl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The bounds of what an ItemReader reads: bytes after decompression, and items. Step Functions reads more, but here all items are in
// memory.
const (
	maxDataset      = 128 << 20 // 128 MiB
	maxDatasetItems = 1_000_000
)

// errEnough stops the reading of a dataset: it has as many items as MaxItems allows.
var errEnough = errors.New("asl: the dataset has enough items")

// A dataset collects the items that an ItemReader reads.
type dataset struct {
	objects Objects
	reader  *itemReader
	items   []any
	limit   int // The greatest number of items; 0 means no limit.
	left    int // How many more bytes may be read.
}

// readItems returns the items of a Map state that has an ItemReader.
func (s *stateRun) readItems(ctx context.Context) ([]any, error) {
	r := s.state.mapFields.reader
	limit, _, err := s.evalNumber(r.maxItems, "integer")
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, readerFailuref("field MaxItems must be positive")
	}

	location, err := s.evalLocation(r.location, r.fieldNames)
	if err != nil {
		return nil, err
	}

	d := &dataset{objects: s.thread.run.objects(), reader: r, items: []any{}, limit: int(min(limit, maxReaderItems)), left: maxDataset}
	err = d.read(ctx, location)
	if err != nil && !errors.Is(err, errEnough) {
		var f *failure
		switch {
		case ctx.Err() != nil:
			return nil, &failure{aborted: true, fatal: true}
		case errors.As(err, &f):
			return nil, f
		}
		return nil, readerFailuref("%s", strings.TrimSpace(err.Error()))
	}
	return d.items, nil
}

func readerFailuref(format string, args ...any) error {
	return failuref(errorItemReader, format, args...)
}

// A location is where an ItemReader reads or a ResultWriter writes.
type location struct{ bucket, key, prefix string }

// evalLocation evaluates Parameters or Arguments of an ItemReader or ResultWriter. field is its name.
func (s *stateRun) evalLocation(t template, field string) (location, error) {
	v, err := t.eval(s, field)
	if err != nil {
		return location{}, err
	}

	o, _ := v.(*jsontree.Object)
	text := func(name string) string {
		if o == nil {
			return ""
		}
		value, _ := o.Get(name)
		text, _ := value.(string)
		return text
	}
	l := location{bucket: text("Bucket"), key: text("Key"), prefix: text("Prefix")}
	if l.bucket == "" {
		return l, runtimeFailuref("The field '%s' must have the field 'Bucket', a string", field)
	}
	return l, nil
}

// read reads the items at l.
func (d *dataset) read(ctx context.Context, l location) error {
	if !d.reader.lists {
		content, err := d.content(ctx, l.bucket, l.key)
		if err != nil {
			return err
		}
		switch {
		case d.reader.inputType == inputManifest:
			return d.readInventory(ctx, content)
		case d.reader.isAthena:
			return d.readListed(ctx, content)
		default:
			return d.parse(content)
		}
	}

	for o, err := range d.objects.ListObjects(ctx, l.bucket, l.prefix) {
		if err != nil {
			return err
		}
		if d.reader.flatten {
			err = d.readObject(ctx, l.bucket, o.Key)
		} else {
			err = d.add(jsontree.NewObject(
				"Etag", o.ETag, "Key", o.Key, "LastModified", float64(o.LastModified.Unix()), "Size", o.Size, "StorageClass", o.StorageClass))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds an item. It returns errEnough if there is no room for another one.
func (d *dataset) add(item any) error {
	if len(d.items) == maxDatasetItems {
		return readerFailuref("The dataset has more than %d items.", maxDatasetItems)
	}
	d.items = append(d.items, item)
	if len(d.items) == d.limit {
		return errEnough
	}
	return nil
}

// readObject reads the items of one object.
func (d *dataset) readObject(ctx context.Context, bucket, key string) error {
	content, err := d.content(ctx, bucket, key)
	if err != nil {
		return err
	}
	return d.parse(content)
}

// content returns the content of an object. If it is compressed with gzip, content decompresses it.
func (d *dataset) content(ctx context.Context, bucket, key string) ([]byte, error) {
	opened, err := d.objects.GetObject(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()

	buffered := bufio.NewReader(opened)
	var source io.Reader = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if source, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("decompress %s: %w", key, err)
		}
	}

	content, err := io.ReadAll(io.LimitReader(source, int64(d.left)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if d.left -= len(content); d.left < 0 {
		return nil, readerFailuref("The dataset is larger than %d bytes.", maxDataset)
	}
	return content, nil
}

// parse adds the items of an object's content.
func (d *dataset) parse(content []byte) error {
	switch d.reader.inputType {
	case inputCSV:
		return d.parseCSV(content, d.reader.headers)
	case inputJSON:
		return d.parseJSON(content)
	case inputLines:
		return d.parseLines(content)
	default:
		return readerFailuref("InputType %s cannot be read here.", d.reader.inputType)
	}
}

// parseCSV adds the rows of a table. If headers is nil, the first row has them. A row that is too short is filled up with empty texts, and
// what a row has too much is ignored.
func (d *dataset) parseCSV(content []byte, headers []string) error {
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	rows.Comma, rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = d.reader.delimiter, -1, true, true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read CSV: %w", err)
		}

		isHeader := headers == nil
		if isHeader {
			headers = slices.Clone(row)
		}
		if len(d.items) == 0 || isHeader {
			if err := checkHeaders(headers); err != nil {
				return err
			}
		}
		if isHeader {
			continue
		}

		item := &jsontree.Object{}
		for i, header := range headers {
			field := ""
			if i < len(row) {
				field = row[i]
			}
			item.Set(header, field)
		}
		if err := d.add(item); err != nil {
			return err
		}
	}
}

// checkHeaders returns an error if two headers are the same.
func checkHeaders(headers []string) error {
	seen := map[string]bool{}
	for _, header := range headers {
		if seen[header] {
			return readerFailuref("CSV headers cannot contain duplicates.")
		}
		seen[header] = true
	}
	return nil
}

// parseJSON adds the items of an array, or the entries of an object.
func (d *dataset) parseJSON(content []byte) error {
	v, err := jsontree.Parse(content)
	if err != nil {
		return err
	}

	if d.reader.pointer != "" {
		for token := range strings.SplitSeq(d.reader.pointer[1:], "/") {
			if v, err = pointed(v, strings.NewReplacer("~1", "/", "~0", "~").Replace(token)); err != nil {
				return err
			}
		}
	}

	var items []any
	switch v := v.(type) {
	case []any:
		items = v
	case *jsontree.Object:
		items = entriesOf(v)
	default:
		return readerFailuref("Attempting to map over non-iterable node.")
	}
	for _, item := range items {
		if err := d.add(item); err != nil {
			return err
		}
	}
	return nil
}

// pointed returns the value that a token of a JSON pointer selects in v.
func pointed(v any, token string) (any, error) {
	switch v := v.(type) {
	case *jsontree.Object:
		if value, ok := v.Get(token); ok {
			return value, nil
		}
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(v) {
			return v[i], nil
		}
	}
	return nil, readerFailuref("ItemsPointer does not select a value: there is no %q.", token)
}

// parseLines adds the JSON value of each line.
func (d *dataset) parseLines(content []byte) error {
	for line := range bytes.Lines(content) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		item, err := jsontree.Parse(line)
		if err != nil {
			return err
		}
		if err := d.add(item); err != nil {
			return err
		}
	}
	return nil
}
