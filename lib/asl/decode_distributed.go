package asl

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The resources of ItemReader and ResultWriter.
const (
	resourceGetObject   = ":states:::s3:getObject"
	resourceListObjects = ":states:::s3:listObjectsV2"
	resourcePutObject   = ":states:::s3:putObject"
)

// The values of InputType.
const (
	inputCSV      = "CSV"
	inputJSON     = "JSON"
	inputLines    = "JSONL"
	inputManifest = "MANIFEST"
	inputParquet  = "PARQUET"
)

// The values of Transformation of a ResultWriter.
const (
	transformNone    = "NONE"
	transformCompact = "COMPACT"
	transformFlatten = "FLATTEN"
)

// The limits of a Distributed Map: see "ItemReader" and "ItemBatcher" in the developer guide of Step Functions.
const (
	maxReaderItems = 100_000_000
	maxLabelLength = 40
	labelForbids   = "?*<>{}[]:;,\\|^~$#%&`\""
)

// delimiters maps CSVDelimiter to the character.
var delimiters = map[string]rune{"": ',', "COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

// decodeLabel returns the Label of a Map state, or the state's name.
func (d *decoder) decodeLabel(f *fieldReader, s *state) string {
	isForbidden := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(labelForbids, r)
	}
	label := f.stringValue("Label")
	switch {
	case label == "":
		return s.name
	case len(label) > maxLabelLength:
		f.invalid("Label", "Label must not be longer than "+strconv.Itoa(maxLabelLength)+" characters")
	case strings.ContainsFunc(label, isForbidden):
		f.invalid("Label", "Label must not contain white space, control characters or any of "+labelForbids)
	}
	return label
}

// decodeDistributed decodes the fields of a Map state that only a Distributed Map uses.
func (d *decoder) decodeDistributed(f *fieldReader, s *state) {
	m := s.mapFields
	m.label = d.decodeLabel(f, s)
	if inner, ok := f.objectValue("ItemReader"); ok {
		m.reader = d.decodeReader(inner, s)
		inner.rejectUnknown(s.language())
	}
	if inner, ok := f.objectValue("ItemBatcher"); ok {
		m.batcher = d.decodeBatcher(inner, s)
		inner.rejectUnknown(s.language())
	}
	if inner, ok := f.objectValue("ResultWriter"); ok {
		m.writer = d.decodeWriter(inner, s)
		inner.rejectUnknown(s.language())
	}
}

// objectValue returns a reader for a field that is an object. ok is false if the field is missing or not an object.
func (f *fieldReader) objectValue(name string) (inner *fieldReader, ok bool) {
	v, ok := f.take(name)
	if !ok {
		return nil, false
	}
	return f.d.readObject(v, f.path(name))
}

// enumValue returns a string field, which must have one of the values. It returns "" if the field is missing.
func (f *fieldReader) enumValue(name string, values ...string) string {
	text := f.stringValue(name)
	if f.has(name) && !slices.Contains(values, text) {
		f.invalid(name, "The field '"+name+"' should have one of these values: ["+strings.Join(values, ", ")+"]")
		return ""
	}
	return text
}

// decodeLocation decodes Parameters or Arguments, and returns the name of the field with it. It is nil if the field is missing.
func (d *decoder) decodeLocation(f *fieldReader, s *state) (location template, name string) {
	name = "Parameters"
	if s.jsonata {
		name = "Arguments"
	}
	return d.decodeTemplate(f, s, name), name
}

// decodeReader decodes an ItemReader.
func (d *decoder) decodeReader(f *fieldReader, s *state) *itemReader {
	f.require("Resource")
	resource := f.stringValue("Resource")
	r := &itemReader{delimiter: ',', lists: strings.HasSuffix(resource, resourceListObjects)}
	if !r.lists && !strings.HasSuffix(resource, resourceGetObject) && f.has("Resource") {
		f.unknownResource(resource)
	}
	r.location, r.fieldNames = d.decodeLocation(f, s)
	if r.location == nil {
		f.require(r.fieldNames)
	}

	config, ok := f.objectValue("ReaderConfig")
	if !ok {
		if !r.lists && !f.has("ReaderConfig") {
			f.require("ReaderConfig")
		}
		return r
	}

	r.inputType = config.enumValue("InputType", inputCSV, inputJSON, inputLines, inputParquet, inputManifest)
	r.flatten = config.enumValue("Transformation", transformNone, "LOAD_AND_FLATTEN") == "LOAD_AND_FLATTEN"
	r.isAthena = config.enumValue("ManifestType", "ATHENA_DATA", "S3_INVENTORY") == "ATHENA_DATA"
	if !r.lists || r.flatten {
		config.require("InputType")
	}

	r.pointer = config.stringValue("ItemsPointer")
	if r.pointer != "" && (r.inputType != inputJSON || !strings.HasPrefix(r.pointer, "/")) {
		config.invalid("ItemsPointer", "ItemsPointer must be a JSON pointer, and InputType must be JSON")
	}
	r.maxItems = d.decodeNumber(config, s, "MaxItems", maxReaderItems)
	d.decodeCSV(config, r)
	config.rejectUnknown(s.language())
	return r
}

// decodeCSV decodes the fields of a ReaderConfig that belong to CSV.
func (d *decoder) decodeCSV(f *fieldReader, r *itemReader) {
	r.delimiter = delimiters[f.enumValue("CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")]
	location := f.enumValue("CSVHeaderLocation", "FIRST_ROW", "GIVEN")
	if r.inputType == inputCSV {
		f.require("CSVHeaderLocation")
	}

	headers := f.arrayValue("CSVHeaders")
	switch {
	case location != "GIVEN" && f.has("CSVHeaders"):
		f.invalid("CSVHeaders", "CSVHeaders is only supported if CSVHeaderLocation is GIVEN")
	case location == "GIVEN" && len(headers) == 0:
		f.require("CSVHeaders")
		if f.has("CSVHeaders") {
			f.invalid("CSVHeaders", ruleEmpty)
		}
	}

	for _, v := range headers {
		header, ok := v.(string)
		if !ok {
			f.invalid("CSVHeaders", "Expected value of type String")
		}
		r.headers = append(r.headers, header)
	}
}

// decodeBatcher decodes an ItemBatcher.
func (d *decoder) decodeBatcher(f *fieldReader, s *state) *itemBatcher {
	b := &itemBatcher{
		maxItems: d.decodeNumber(f, s, "MaxItemsPerBatch", maxReaderItems),
		maxBytes: d.decodeNumber(f, s, "MaxInputBytesPerBatch", maxPayload),
		input:    d.decodeTemplate(f, s, "BatchInput"),
	}
	if !b.maxItems.isSet() && !b.maxBytes.isSet() {
		d.invalid(f.at, "ItemBatcher must have MaxItemsPerBatch or MaxInputBytesPerBatch")
	}
	return b
}

// decodeWriter decodes a ResultWriter.
func (d *decoder) decodeWriter(f *fieldReader, s *state) *resultWriter {
	w := &resultWriter{}
	w.location, w.locationName = d.decodeLocation(f, s)
	if resource := f.stringValue("Resource"); f.has("Resource") && !strings.HasSuffix(resource, resourcePutObject) {
		f.unknownResource(resource)
	}

	if f.has("Resource") != f.has(w.locationName) {
		f.require("Resource", w.locationName)
	}
	if !f.has("Resource") && !f.has("WriterConfig") {
		d.invalid(f.at, "ResultWriter must have WriterConfig, or Resource and "+w.locationName)
	}

	w.transformation = transformNone
	config, ok := f.objectValue("WriterConfig")
	if !ok {
		return w
	}
	config.require("Transformation", "OutputType")
	w.transformation = config.enumValue("Transformation", transformNone, transformCompact, transformFlatten)
	w.isLines = config.enumValue("OutputType", inputJSON, inputLines) == inputLines
	config.rejectUnknown(s.language())
	return w
}
