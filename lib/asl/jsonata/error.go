package jsonata

import (
	"strconv"
)

// Error is a JSONata error. A code that begins with S is that of a syntax error; one with T, D or U is that of an evaluation error.
type Error struct {
	// Code is the error's code in the JSONata reference implementation, such as T2001.
	Code string
	// Message says what is wrong.
	Message string
	// Position is the byte offset of a syntax error in the expression, from 0.
	Position int
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func syntaxError(code string, pos int, message string) *Error {
	return &Error{Code: code, Message: message, Position: pos}
}

func evalError(code, message string) *Error { return &Error{Code: code, Message: message} }

// quote returns s in double quotes, for error messages.
func quote(s string) string { return strconv.Quote(s) }
