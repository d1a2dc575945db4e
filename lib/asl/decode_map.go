package asl

import (
	"math"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// decodeBranches decodes the Branches of a Parallel state.
func (d *decoder) decodeBranches(f *fieldReader, s *state, language string) {
	f.require("Branches")
	for i, v := range f.filledArray("Branches") {
		if inner, ok := d.readObject(v, indexPath(f.path("Branches"), i)); ok {
			s.branches = append(s.branches, d.decodeFlow(inner, language))
			inner.rejectUnknown("")
		}
	}
}

// decodeMap decodes the fields of a Map state, except Retry, Catch, Next and End.
func (d *decoder) decodeMap(f *fieldReader, s *state, language string) {
	d.decodePaths(f, s)
	d.decodeAssignAndOutput(f, s)
	m := &mapFields{processor: &flow{}} // decodeProcessor replaces the empty flow.
	s.mapFields = m
	d.decodeProcessor(f, m, language)
	d.decodeDistributed(f, s)
	m.maxConcurrency = d.decodeNumber(f, s, "MaxConcurrency", maxConcurrency)
	m.toleratedCount = d.decodeNumber(f, s, "ToleratedFailureCount", maxToleratedCount)
	m.toleratedPercentage = d.decodeNumber(f, s, percentageField, maxPercentage)
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

	if config, ok := inner.objectValue("ProcessorConfig"); ok {
		m.distributed = config.enumValue("Mode", "INLINE", "DISTRIBUTED") == "DISTRIBUTED"
		if m.distributed {
			config.require("ExecutionType")
		}
		m.express = config.enumValue("ExecutionType", "STANDARD", "EXPRESS") == "EXPRESS"
		config.rejectUnknown("")
	}

	m.processor, m.processorName = d.decodeFlow(inner, language), name
	inner.rejectUnknown("")
}

// The largest values of a Map state's number fields. AWS documents no largest ToleratedFailureCount. maxToleratedCount has no
// effect, because it is greater than the number of items that an array of maxPayload bytes can have, and a count over the number of
// items tolerates every failure.
const (
	maxConcurrency    = math.MaxInt32
	maxToleratedCount = 99_999_999
	maxPercentage     = 100
)

// bound returns a bound of the number field called name, as in AWS's messages: a percentage has a decimal place.
func bound(name string, n int) string {
	text := strconv.Itoa(n)
	if strings.HasSuffix(name, "Percentage") {
		text += ".0"
	}
	return text
}

// percentageField is the number of a Map state that need not be an integer.
const percentageField = "ToleratedFailurePercentage"

// decodeNumber decodes a number of a Map state. The field called name holds a number from 0 to high or an expression; the field
// called name+"Path" holds a path.
func (d *decoder) decodeNumber(f *fieldReader, s *state, name string, high int) numberField {
	number := numberField{name: name}
	if v, ok := f.take(name); ok {
		if x := d.decodeExpression(s, v, f.path(name)); x != nil {
			number.value = x
		} else {
			n, ok := jsontree.Float(v)
			switch {
			case !ok:
				f.invalid(name, "Expected value of type Number")
			case n != math.Trunc(n) && name != percentageField:
				f.invalid(name, "Expected value of type Integer")
			case n < 0:
				f.invalid(name, "Minimum value is "+bound(name, 0))
			case n > float64(high):
				f.invalid(name, "Maximum value is "+bound(name, high))
			}
			number.value = literalTemplate{v}
		}
	}

	pathName := name + "Path"
	if s.jsonata || !f.has(pathName) {
		return number
	}

	number.name, number.path = pathName, f.referencePath(pathName)
	if number.value != nil {
		d.invalid(f.at, "There should only be one of the following fields: ["+name+", "+pathName+"]")
	}
	if number.path != nil && number.path.root == rootContext {
		f.invalid(pathName, "Value is not a Reference Path")
	}
	return number
}
