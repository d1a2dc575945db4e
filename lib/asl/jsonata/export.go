package jsonata

import "github.com/herald-progress/herald/lib/asl/jsontree"

// An exporter converts the value of an expression to a value of package jsontree. It copies only what it must convert: a part of the
// variables is returned as it is.
type exporter struct {
	evaluation *evaluation
	bytes      int // The size of what is exported; see maxExport.
}

// export converts v. An infinity and NaN become strings, as on AWS. The error is ErrFunction if v is or contains a function or a
// regular expression.
func (x *exporter) export(v any) (value any, converted bool, err error) {
	if err := x.count(v); err != nil {
		return nil, false, err
	}
	switch v := v.(type) {
	case *array:
		items, _, err := x.items(v.items)
		return items, true, err
	case []any:
		items, converted, err := x.items(v)
		return items, converted, err
	case *jsontree.Object:
		return x.object(v)
	case float64:
		if text, ok := infinityText(v); ok {
			return text, true, nil
		}
		return v, false, nil
	case *function, *regex, undefined:
		return nil, false, ErrFunction
	default:
		return v, false, nil
	}
}

// count counts the size of v without its parts.
func (x *exporter) count(v any) error {
	x.bytes += itemBytes
	if s, ok := v.(string); ok {
		x.bytes += len(s)
	}
	if x.bytes > maxExport {
		return x.evaluation.reserve(x.evaluation.limits.Bytes + 1)
	}
	return nil
}

// items converts the items of an array. It leaves undefined items out.
func (x *exporter) items(items []any) (result []any, converted bool, err error) {
	result = items[:len(items):len(items)]
	for i, item := range items {
		isMissing := isUndefined(item)
		var (
			value         any
			itemConverted bool
		)
		if !isMissing {
			if value, itemConverted, err = x.export(item); err != nil {
				return nil, false, err
			}
		}

		if (itemConverted || isMissing) && !converted {
			converted = true
			result = append(make([]any, 0, len(items)), items[:i]...)
		}
		if converted && !isMissing {
			result = append(result, value)
		}
	}

	if result == nil {
		result = []any{}
	}
	return result, converted, nil
}

// object converts an object.
func (x *exporter) object(o *jsontree.Object) (value any, converted bool, err error) {
	result := o
	for _, key := range o.Keys() {
		v, _ := o.Get(key)
		value, valueConverted, err := x.export(v)
		if err != nil {
			return nil, false, err
		}
		if !valueConverted {
			continue
		}

		if !converted {
			converted = true
			result = o.Clone()
		}
		result.Set(key, value)
	}
	return result, converted, nil
}
