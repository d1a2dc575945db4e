package asl

import (
	"math"
	"strconv"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// decodeBranches decodes the Branches of a Parallel state.
func (d *decoder) decodeBranches(f *fieldReader, s *state, language string) {
	f.require("Branches")
	for i, v := range f.arrayValue("Branches") {
		if inner, ok := d.readObject(v, indexPath(f.path("Branches"), i)); ok {
			s.branches = append(s.branches, d.decodeFlow(inner, language))
			inner.rejectUnknown()
		}
	}
}

// decodeMap decodes the fields of a Map state, except Retry, Catch, Next and End.
func (d *decoder) decodeMap(f *fieldReader, s *state, language string) {
	d.decodePaths(f, s)
	d.decodeAssignAndOutput(f, s)
	m := &mapFields{processor: &flow{}} // decodeProcessor replaces the empty flow.
	s.mapFields = m
	for _, name := range []string{"ItemReader", "ItemBatcher", "ResultWriter"} {
		if _, ok := f.take(name); ok {
			d.unsupported(f.path(name), name)
		}
	}

	d.decodeProcessor(f, m, language)
	_ = f.stringValue("Label") // Checks only the type: this package puts the state's name instead of the label into ARNs.
	m.maxConcurrency = d.decodeNumber(f, s, "MaxConcurrency", maxConcurrency)
	m.toleratedCount = d.decodeNumber(f, s, "ToleratedFailureCount", maxToleratedCount)
	m.toleratedPercentage = d.decodeNumber(f, s, "ToleratedFailurePercentage", maxPercentage)
	if s.jsonata {
		if m.items = d.decodeTemplate(f, s, "Items"); m.items != nil {
			d.checkItems(f, m.items)
		}
		m.itemSelector = d.decodeTemplate(f, s, "ItemSelector")
		return
	}

	m.itemsPath = f.referenceValue("ItemsPath")
	s.resultPath = f.decodeResultPath("ResultPath")
	s.resultSelector = d.decodeTemplate(f, s, "ResultSelector")
	m.itemSelector = d.decodeTemplate(f, s, "ItemSelector")
	if f.has("Parameters") {
		if m.itemSelector != nil {
			d.invalid(f.at, "A Map state must not have both ItemSelector and Parameters")
		}
		m.itemSelector = d.decodeTemplate(f, s, "Parameters")
	}
}

// checkItems adds a problem if Items is neither an array nor an expression.
func (d *decoder) checkItems(f *fieldReader, items template) {
	switch items.(type) {
	case listTemplate, *expression:
	default:
		f.invalid("Items", "Expected value of type Array or a JSONata expression")
	}
}

// decodeProcessor decodes ItemProcessor, or Iterator, its older name.
func (d *decoder) decodeProcessor(f *fieldReader, m *mapFields, language string) {
	name := "ItemProcessor"
	if !f.has(name) {
		name = "Iterator"
	}

	v, ok := f.take(name)
	if !ok {
		f.require("ItemProcessor") // Adds the problem.
		return
	}

	inner, ok := d.readObject(v, f.path(name))
	if !ok {
		return
	}

	if v, ok := inner.take("ProcessorConfig"); ok {
		if config, ok := d.readObject(v, inner.path("ProcessorConfig")); ok {
			switch config.stringValue("Mode") {
			case "", "INLINE":
			case "DISTRIBUTED":
				m.distributed = true
			default:
				config.invalid("Mode", "The field 'Mode' should have one of these values: [INLINE, DISTRIBUTED]")
			}

			if kind := config.stringValue("ExecutionType"); kind != "" && kind != "STANDARD" && kind != "EXPRESS" {
				config.invalid("ExecutionType", "The field 'ExecutionType' should have one of these values: [STANDARD, EXPRESS]")
			}
			config.rejectUnknown()
		}
	}

	m.processor = d.decodeFlow(inner, language)
	inner.rejectUnknown()
}

// The largest values of a Map state's number fields. AWS documents no largest ToleratedFailureCount. maxToleratedCount has no
// effect, because it is greater than the number of items that an array of maxPayload bytes can have, and a count over the number of
// items tolerates every failure.
const (
	maxConcurrency    = math.MaxInt32
	maxToleratedCount = 99_999_999
	maxPercentage     = 100
)

// decodeNumber decodes a number of a Map state. The field called name holds a number from 0 to high or an expression; the field
// called name+"Path" holds a path.
func (d *decoder) decodeNumber(f *fieldReader, s *state, name string, high int) numberField {
	number := numberField{name: name}
	if v, ok := f.take(name); ok {
		if x := d.decodeExpression(s, v, f.path(name)); x != nil {
			number.value = x
		} else {
			if n, ok := jsontree.Float(v); !ok || n < 0 || n > float64(high) {
				f.invalid(name, "Expected value of type Number, from 0 to "+strconv.Itoa(high))
			}
			number.value = literalTemplate{v}
		}
	}

	pathName := name + "Path"
	if s.jsonata || !f.has(pathName) {
		return number
	}

	number.name, number.path = pathName, f.referenceValue(pathName)
	if number.value != nil {
		d.invalid(f.at, "A Map state must not have both "+name+" and "+pathName)
	}
	return number
}
