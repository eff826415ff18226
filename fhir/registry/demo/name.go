package demo

import "strings"

// Common first; pick favours the front.
var (
	womenNames = split(`María Guadalupe, María, Guadalupe, Ana María, Verónica, María Elena, Alejandra, Leticia, Rosa María,
		Gabriela, Sofía, Valentina, Ximena, Camila, Fernanda, Daniela, Andrea, Patricia, Adriana, Margarita, Juana,
		Josefina, Araceli, Yolanda, Silvia, Itzel, Regina, Renata, María José, María Fernanda, Ana Sofía, Citlali,
		Xóchitl, Nayeli, Jimena, Esmeralda, Rocío, Beatriz, Mónica, Inés, María de los Ángeles, Ma. del Carmen, Concepción,
		Begoña, Ñusta`)
	menNames = split(`José Luis, Juan Carlos, José, Juan, Miguel Ángel, Francisco Javier, Jesús, Antonio, Alejandro, Carlos,
		Santiago, Mateo, Sebastián, Leonardo, Emiliano, Diego, Daniel, Fernando, Ricardo, Roberto, Jorge, Eduardo,
		Manuel, Pedro, Rafael, Raúl, Sergio, Arturo, Gerardo, Héctor, Óscar, Martín, Ángel, Iker, Gael, Maximiliano,
		Cuauhtémoc, José María, J. Guadalupe, Íñigo, Andrés, Julián, Hugo, César, Tonatiuh`)
	surnames = split(`Hernández, García, Martínez, López, González, Pérez, Rodríguez, Sánchez, Ramírez, Cruz, Flores, Gómez,
		Morales, Vázquez, Reyes, Jiménez, Torres, Díaz, Gutiérrez, Ruiz, Mendoza, Aguilar, Ortiz, Moreno, Castillo,
		Romero, Álvarez, Méndez, Chávez, Rivera, Juárez, Ramos, Domínguez, Herrera, Medina, Castro, Vargas, Guzmán,
		Velázquez, Muñoz, Rojas, Ñúñez, Núñez, Peña, Ibáñez, Ordóñez, Zúñiga, Salazar, de la Cruz, de los Santos, del Río,
		Riva Palacio, Montes de Oca, Ávila, Cañedo, Treviño, Mc Gregor, Pech, Chan, Canul, Xool, Tzab, Ek, Uc,
		Xicoténcatl, Quiñones, Yáñez`)
	streets = split(`Benito Juárez, Miguel Hidalgo, Emiliano Zapata, 5 de Mayo, 16 de Septiembre, Francisco I. Madero,
		José María Morelos, Venustiano Carranza, Lázaro Cárdenas, Niños Héroes, Vicente Guerrero, Insurgentes,
		Reforma, Álvaro Obregón, Nicolás Bravo, Jacarandas, Sor Juana Inés de la Cruz`)
)

func split(names string) []string {
	all := strings.Split(names, ",")
	for i, n := range all {
		all[i] = strings.TrimSpace(n)
	}
	return all
}
