package validate

import "errors"

func fromXML([]byte) ([]byte, error) { return nil, errors.New("no xml") }
