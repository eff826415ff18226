// Package code knows the codes of vaccines and how they translate: CVX, the list that
// schedules are written in, to and from SNOMED CT and ATC; MVX, of manufacturers; and
// the diseases that vaccines are against.
//
// The tables beside this file are its whole knowledge:
//
//   - vaccine.tsv: CVX codes with CDC's status and short description, antigens as CDC's
//     schedule data names them (https://www.cdc.gov/iis/code-sets/, public domain), names
//     in Spanish, and the SNOMED CT and ATC codes that fit best. Without CVX 99, which is
//     reserved.
//   - snomed.tsv: the vaccines of SNOMED International's IPS terminology, July 2022
//     (CC BY 4.0, https://www.snomed.org/international-patient-set), and one concept more,
//     1119349007, with the CVX code that says as much.
//   - atc.tsv: the ATC codes of vaccines (https://atcddd.fhi.no) with the CVX code that
//     says as much.
//   - antigen.tsv: antigens with the SNOMED CT code of their disease.
//   - maker.tsv: MVX codes of the makers whose vaccines are met in Mexico. Birmex, the
//     Gamaleya institute and the Serum Institute of India have none: OTH.
package code
