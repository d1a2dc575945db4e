package asl

import (
	"strconv"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func (d *decoder) decodeBranches(f *fieldReader, s *state, language string) {
	f.require("Branches")
	for i, v := range f.list("Branches") {
		if inner, ok := d.fields(v, index(f.path("Branches"), i)); ok {
			s.branches = append(s.branches, d.decodeFlow(inner, language))
			inner.finish()
		}
	}
}

func (d *decoder) decodeMap(f *fieldReader, s *state, language string) {
	d.decodeInputOutput(f, s)
	d.decodeOutput(f, s)
	body := &mapBody{flow: &flow{}}
	s.mapOver = body

	for _, name := range []string{"ItemReader", "ItemBatcher", "ResultWriter"} {
		if _, ok := f.value(name); ok {
			d.unsupported(f.path(name), name)
		}
	}

	d.decodeProcessor(f, body, language)
	f.text("Label")
	body.maxConcurrency = d.count(f, s, "MaxConcurrency", maxConcurrency)
	body.toleratedCount = d.count(f, s, "ToleratedFailureCount", maxAttempts)
	body.toleratedShare = d.count(f, s, "ToleratedFailurePercentage", wholePercentage)
	if s.jsonata {
		if body.items = d.template(f, s, "Items"); body.items != nil {
			d.checkItems(f, body.items)
		}
		body.itemSelector = d.template(f, s, "ItemSelector")
		return
	}

	body.itemsPath = f.reference("ItemsPath")
	s.resultPath = f.resultPath("ResultPath")
	s.resultSelector = d.template(f, s, "ResultSelector")
	body.itemSelector = d.template(f, s, "ItemSelector")
	if _, ok := f.object.Get("Parameters"); ok {
		if body.itemSelector != nil {
			d.problem(f.at, "A Map state must not have both ItemSelector and Parameters")
		}
		body.itemSelector = d.template(f, s, "Parameters")
	}
}

// checkItems reports Items that is neither an array nor an expression.
func (d *decoder) checkItems(f *fieldReader, items template) {
	switch items.(type) {
	case listTemplate, *expression:
	default:
		f.problem("Items", "Expected value of type Array or a JSONata expression")
	}
}

// decodeProcessor reads ItemProcessor, or Iterator as it was called before.
func (d *decoder) decodeProcessor(f *fieldReader, body *mapBody, language string) {
	name := "ItemProcessor"
	if _, ok := f.object.Get(name); !ok {
		name = "Iterator"
	}

	v, ok := f.value(name)
	if !ok {
		f.require("ItemProcessor")
		return
	}

	inner, ok := d.fields(v, f.path(name))
	if !ok {
		return
	}

	if v, ok := inner.value("ProcessorConfig"); ok {
		if config, ok := d.fields(v, inner.path("ProcessorConfig")); ok {
			switch config.text("Mode") {
			case "", "INLINE":
			case "DISTRIBUTED":
				body.distributed = true
			default:
				config.problem("Mode", "The field 'Mode' should have one of these values: [INLINE, DISTRIBUTED]")
			}

			if kind := config.text("ExecutionType"); kind != "" && kind != "STANDARD" && kind != "EXPRESS" {
				config.problem("ExecutionType", "The field 'ExecutionType' should have one of these values: [STANDARD, EXPRESS]")
			}
			config.finish()
		}
	}

	body.flow = d.decodeFlow(inner, language)
	inner.finish()
}

const (
	maxConcurrency  = 2_147_483_647
	wholePercentage = 100
)

// count reads a number from 0 to most, or the path of one.
func (d *decoder) count(f *fieldReader, s *state, name string, most int) count {
	c := count{field: name}
	if v, ok := f.value(name); ok {
		text, _ := v.(string)
		if x := d.expression(text, f.path(name)); s.jsonata && x != nil {
			c.value = x
		} else {
			if n, ok := jsontree.Float(v); !ok || n < 0 || n > float64(most) {
				f.problem(name, "Expected value of type Number, from 0 to "+strconv.Itoa(most))
			}
			c.value = fixed{v}
		}
	}

	if s.jsonata {
		return c
	}

	if _, ok := f.object.Get(name + "Path"); ok {
		c.field, c.path = name+"Path", f.reference(name+"Path")
		if c.value != nil {
			d.problem(f.at, "A Map state must not have both "+name+" and "+c.field)
		}
	}
	return c
}
