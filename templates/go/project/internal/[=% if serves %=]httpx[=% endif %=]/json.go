package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// jsonFormats are huma's, except that 344.0 and 3e2 are integers in JSON, as JSON Schema has it and Go does not.
func jsonFormats(formats map[string]huma.Format) map[string]huma.Format {
	own := maps.Clone(formats)
	for _, name := range []string{"application/json", "json"} {
		own[name] = huma.Format{Marshal: formats[name].Marshal, Unmarshal: wholeNumbers(formats[name].Unmarshal)}
	}
	return own
}

// wholeNumbers looks at the numbers only after a body was refused, so that others pay nothing for it.
func wholeNumbers(unmarshal func([]byte, any) error) func([]byte, any) error {
	return func(data []byte, into any) error {
		err := unmarshal(data, into)
		if _, mismatched := errors.AsType[*json.UnmarshalTypeError](err); !mismatched {
			return err
		}
		rewritten, changed := rewriteWholeNumbers(data)
		if !changed {
			return err
		}
		return unmarshal(rewritten, into)
	}
}

func rewriteWholeNumbers(data []byte) (rewritten []byte, changed bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var body any
	if decoder.Decode(&body) != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	body = withWholeNumbers(body, &changed)
	rewritten, err := json.Marshal(body)
	return rewritten, changed && err == nil
}

// maxWhole is the largest magnitude up to which a float64 holds every integer.
const maxWhole = 1 << 53

func withWholeNumbers(value any, changed *bool) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withWholeNumbers(v[key], changed)
		}
	case []any:
		for i := range v {
			v[i] = withWholeNumbers(v[i], changed)
		}
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v
		}
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) <= maxWhole {
			*changed = true
			return json.Number(strconv.FormatInt(int64(f), 10))
		}
	}
	return value
}
