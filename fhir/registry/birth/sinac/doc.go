// Package sinac is the record of a birth as Mexico's Subsistema de Información sobre
// Nacimientos (SINAC) of the Dirección General de Información en Salud publishes it: 64
// columns, the same from 2020 on, and older names of them before that.
//
// The columns, their order, ranges and values for what is not known are those of the
// published files of 2020 to 2023 and of their descriptors (Descriptores_SINAC_2020). Of
// the catalogues only the values that those describe are held here; a column whose
// catalogue is not public takes any number, so that nothing true is refused.
package sinac
