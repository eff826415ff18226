package demo

// municipality is a municipality, or a borough (alcaldía) of Mexico City.
type municipality struct {
	key    string // three digits, within its entity
	name   string
	people int // thousands, census of 2020
}

// municipalities holds the four largest of each entity, in the order of identity.Entities.
//
// See INEGI, Catálogo Único de Claves de Áreas Geoestadísticas, https://www.inegi.org.mx/app/ageeml/.
var municipalities = [32][4]municipality{
	{{"001", "Aguascalientes", 949}, {"005", "Jesús María", 130}, {"011", "San Francisco de los Romo", 62}, {"003", "Calvillo", 58}},
	{{"004", "Tijuana", 1923}, {"002", "Mexicali", 1050}, {"001", "Ensenada", 444}, {"005", "Playas de Rosarito", 127}},
	{{"008", "Los Cabos", 351}, {"003", "La Paz", 292}, {"001", "Comondú", 73}, {"002", "Mulegé", 64}},
	{{"002", "Campeche", 294}, {"003", "Carmen", 249}, {"004", "Champotón", 78}, {"009", "Escárcega", 60}},
	{{"030", "Saltillo", 880}, {"035", "Torreón", 721}, {"018", "Monclova", 238}, {"025", "Piedras Negras", 176}},
	{{"007", "Manzanillo", 191}, {"002", "Colima", 157}, {"010", "Villa de Álvarez", 150}, {"009", "Tecomán", 116}},
	{{"101", "Tuxtla Gutiérrez", 604}, {"089", "Tapachula", 354}, {"059", "Ocosingo", 235}, {"078", "San Cristóbal de las Casas", 216}},
	{{"037", "Juárez", 1512}, {"019", "Chihuahua", 938}, {"017", "Cuauhtémoc", 181}, {"021", "Delicias", 151}},
	{{"007", "Iztapalapa", 1835}, {"005", "Gustavo A. Madero", 1173}, {"010", "Álvaro Obregón", 759}, {"012", "Tlalpan", 700}},
	{{"005", "Durango", 689}, {"007", "Gómez Palacio", 373}, {"012", "Lerdo", 163}, {"023", "Pueblo Nuevo", 51}},
	{{"020", "León", 1721}, {"017", "Irapuato", 593}, {"007", "Celaya", 521}, {"027", "Salamanca", 273}},
	{{"001", "Acapulco de Juárez", 780}, {"029", "Chilpancingo de los Bravo", 283}, {"035", "Iguala de la Independencia", 154}, {"038", "Zihuatanejo de Azueta", 126}},
	{{"048", "Pachuca de Soto", 314}, {"051", "Mineral de la Reforma", 203}, {"077", "Tulancingo de Bravo", 168}, {"069", "Tizayuca", 168}},
	{{"120", "Zapopan", 1476}, {"039", "Guadalajara", 1386}, {"097", "Tlajomulco de Zúñiga", 728}, {"098", "San Pedro Tlaquepaque", 687}},
	{{"033", "Ecatepec de Morelos", 1645}, {"058", "Nezahualcóyotl", 1077}, {"106", "Toluca", 911}, {"057", "Naucalpan de Juárez", 834}},
	{{"053", "Morelia", 849}, {"102", "Uruapan", 357}, {"108", "Zamora", 205}, {"052", "Lázaro Cárdenas", 196}},
	{{"007", "Cuernavaca", 378}, {"011", "Jiutepec", 215}, {"006", "Cuautla", 187}, {"018", "Temixco", 122}},
	{{"017", "Tepic", 426}, {"020", "Bahía de Banderas", 188}, {"015", "Santiago Ixcuintla", 94}, {"004", "Compostela", 77}},
	{{"039", "Monterrey", 1143}, {"006", "Apodaca", 656}, {"026", "Guadalupe", 643}, {"021", "General Escobedo", 481}},
	{{"067", "Oaxaca de Juárez", 271}, {"184", "San Juan Bautista Tuxtepec", 159}, {"043", "Heroica Ciudad de Juchitán de Zaragoza", 114}, {"385", "Santa Cruz Xoxocotlán", 100}},
	{{"114", "Puebla", 1692}, {"156", "Tehuacán", 327}, {"132", "San Martín Texmelucan", 156}, {"119", "San Andrés Cholula", 154}},
	{{"014", "Querétaro", 1050}, {"016", "San Juan del Río", 298}, {"011", "El Marqués", 232}, {"006", "Corregidora", 213}},
	{{"005", "Benito Juárez", 912}, {"008", "Playa del Carmen", 334}, {"004", "Othón P. Blanco", 234}, {"001", "Cozumel", 89}},
	{{"028", "San Luis Potosí", 912}, {"035", "Soledad de Graciano Sánchez", 332}, {"013", "Ciudad Valles", 179}, {"020", "Matehuala", 102}},
	{{"006", "Culiacán", 1004}, {"012", "Mazatlán", 501}, {"001", "Ahome", 459}, {"011", "Guasave", 289}},
	{{"030", "Hermosillo", 936}, {"018", "Cajeme", 436}, {"043", "Nogales", 265}, {"055", "San Luis Río Colorado", 199}},
	{{"004", "Centro", 684}, {"002", "Cárdenas", 243}, {"005", "Comalcalco", 215}, {"008", "Huimanguillo", 191}},
	{{"032", "Reynosa", 705}, {"022", "Matamoros", 542}, {"027", "Nuevo Laredo", 425}, {"041", "Victoria", 350}},
	{{"033", "Tlaxcala", 100}, {"013", "Huamantla", 99}, {"025", "San Pablo del Monte", 83}, {"005", "Apizaco", 81}},
	{{"193", "Veracruz", 607}, {"087", "Xalapa", 489}, {"039", "Coatzacoalcos", 311}, {"044", "Córdoba", 205}},
	{{"050", "Mérida", 995}, {"041", "Kanasín", 142}, {"102", "Valladolid", 85}, {"096", "Tizimín", 81}},
	{{"010", "Fresnillo", 241}, {"017", "Guadalupe", 212}, {"056", "Zacatecas", 150}, {"038", "Pinos", 72}},
}
