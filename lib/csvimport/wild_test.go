package csvimport_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
)

// importWild imports the content of a file.
func importWild(t *testing.T, content []byte) (*csvimport.Memory, csvimport.Summary, error) {
	t.Helper()
	store := &csvimport.Memory{}
	s, err := run(t, csvimport.Config{Store: store, RangeBytes: 1}, put(t, store, content), "x", 0)
	return store, s, err
}

// TestFilesFromTheWildAreRead imports files of testdata/wild. It checks how each file is read; other tests check its rows.
func TestFilesFromTheWildAreRead(t *testing.T) {
	ours := map[string]string{"part": "part", "color": "color", "quantity": "quantity"}
	capital := map[string]string{"part": "Part", "color": "Color", "quantity": "Quantity"}
	for _, tt := range []struct {
		file, encoding string
		columns        map[string]string
		notes          []string
		first          string // the first row
	}{
		{"f05_sep.csv", "utf-8", capital, []string{}, `{"line":3,"part":"3001","color":"Red","quantity":4}`},
		{
			"f06_qty.csv", "utf-8", map[string]string{"part": "Part", "color": "Color", "quantity": "Qty"}, []string{"Qty was read as quantity"},
			`{"line":2,"part":"1","color":"1","quantity":1}`,
		},
		{
			"f06_studio_header.csv", "utf-8", map[string]string{"part": "BLItemNo", "color": "ColorName", "quantity": "Qty"},
			[]string{"BLItemNo was read as part", "ColorName was read as color", "Qty was read as quantity"},
			`{"line":2,"part":"1","color":"1","quantity":1,"extra":{"ElementId":"1","LdrawId":"1","PartName":"1","BLColorId":"1","LDrawColorId":"1","ColorCategory":"1","Weight":"1"}}`,
		},
		{
			"f06_title_line.csv", "utf-8", ours, []string{"The header is in line 3; the lines before it were skipped"},
			`{"line":4,"part":"3001","color":"Red","quantity":4}`,
		},
		{
			"f10_cp1252_header.csv", "windows-1252", ours, []string{"The file is not UTF-8, so it was read as Windows-1252"},
			`{"line":2,"part":"3001","color":"Red","quantity":4,"extra":{"Größe":"8"}}`,
		},
		{
			"f11_blank_name_clash.csv", "utf-8", ours, []string{`Column 2 is called "column 2.1", because another column is called "Column 2"`},
			`{"line":2,"part":"3001","color":"Red","quantity":4,"extra":{"column 2.1":"a","Column 2":"b"}}`,
		},
		{"f14_double_bom.csv", "utf-8", capital, []string{}, `{"line":2,"part":"3001","color":"Red","quantity":4}`},
		{"f14_inner_bom.csv", "utf-8", ours, []string{}, `{"line":2,"part":"3001","color":"Red","quantity":4}`},
	} {
		t.Run(tt.file, func(t *testing.T) {
			content, err := os.ReadFile("../../testdata/wild/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			store, s, err := importWild(t, content)
			if err != nil {
				t.Fatal(err)
			}
			if s.Encoding != tt.encoding || s.EncodingAssumed != (tt.encoding == "windows-1252") {
				t.Errorf("encoding is %s, assumed: %t, want %s", s.Encoding, s.EncodingAssumed, tt.encoding)
			}
			if diff := cmp.Diff(tt.columns, s.Columns) + cmp.Diff(tt.notes, s.Notes); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			if first, _, _ := strings.Cut(rows(t, store, s), "\n"); first != tt.first {
				t.Errorf("first row is\n%s\nwant\n%s", first, tt.first)
			}
		})
	}
}

// TestEveryFileFromTheWildHasItsRows has the number of accepted and rejected rows of each file of testdata/wild.
func TestEveryFileFromTheWildHasItsRows(t *testing.T) {
	want := map[string][2]int64{
		"f04_round_trip.csv": {0, 2}, "f05_sep.csv": {1, 0}, "f06_qty.csv": {1, 0}, "f06_studio_header.csv": {1, 0}, "f06_title_line.csv": {2, 0},
		"f07_short_rows.csv": {3, 0}, "f09_thousands.csv": {5, 1}, "f10_cp1252_header.csv": {1, 0}, "f11_blank_name_clash.csv": {1, 0},
		"f13_blank_tail.csv": {2, 1}, "f14_double_bom.csv": {1, 0}, "f14_inner_bom.csv": {2, 1},
	}
	got := map[string][2]int64{}
	files, err := os.ReadDir("../../testdata/wild")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile("../../testdata/wild/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		_, s, err := importWild(t, content)
		if failed := err != nil; failed != (s.Accepted == 0) {
			t.Errorf("%s: %d rows are accepted, error %v", file.Name(), s.Accepted, err)
		}
		got[file.Name()] = [2]int64{s.Accepted, s.Rejected}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepted and rejected rows (-want +got):\n%s", diff)
	}
}

func TestAFileWithoutColorsHasRowsWithoutColor(t *testing.T) {
	store, s, err := importWild(t, []byte("elementId,quantity\n300121,4\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := csvimport.Summary{
		Columns: map[string]string{"part": "elementId", "quantity": "quantity"},
		Notes:   []string{"elementId was read as part", "There is no column for the color"},
	}
	if diff := cmp.Diff(want, csvimport.Summary{Columns: s.Columns, Notes: s.Notes}); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if got := rows(t, store, s); got != `{"line":2,"part":"300121","quantity":4}`+"\n" {
		t.Errorf("rows are %s", got)
	}
}

func TestTheEncodingIsNotedAfterManyOtherNotes(t *testing.T) {
	_, s, err := importWild(t, []byte("part,quantity"+strings.Repeat(",x", 30)+"\n3001,4,Gr\xFCn\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "The file is not UTF-8, so it was read as Windows-1252"; s.Notes[len(s.Notes)-1] != want {
		t.Errorf("the last note is %q, want %q", s.Notes[len(s.Notes)-1], want)
	}
}

func TestZerosAtTheEndAreARejectedRow(t *testing.T) {
	for _, zeros := range []int{1, 20, 5000} {
		_, s, err := importWild(t, []byte("part,quantity\n3001,4\n"+strings.Repeat("\x00", zeros)))
		if err != nil || s.Accepted != 1 || len(s.RejectedBy) != 1 || s.RejectedBy[0].Reason != "holds a control character" {
			t.Errorf("%d zeros: summary is %+v, error %v", zeros, s, err)
		}
	}
	if _, _, err := importWild(t, make([]byte, 100)); err == nil || !strings.Contains(err.Error(), "binary data") {
		t.Errorf("a file of zeros: error is %v", err)
	}
}

// TestHeadersOfToolsAreImportedOrExplained retypes the headers that tools write. want has the names of part, color and quantity; empty
// means that the message names the missing column.
func TestHeadersOfToolsAreImportedOrExplained(t *testing.T) {
	imported, explained := 0, 0
	for _, tt := range []struct{ tool, header, want, missing string }{
		{"Rebrickable parts list", "Part,Color,Quantity,Is Spare", "Part,Color,Quantity", ""},
		{"Rebrickable lost parts", "Part,Color,Quantity", "Part,Color,Quantity", ""},
		{"Rebrickable set inventory", "Part,Color,Quantity,Is Spare,Element ID,Part Name", "Part,Color,Quantity", ""},
		{"Rebrickable database, inventory parts", "inventory_id,part_num,color_id,quantity,is_spare,img_url", "part_num,color_id,quantity", ""},
		{"Rebrickable database, elements", "element_id,part_num,color_id,design_id", "", "quantity"},
		{"Rebrickable database, sets", "set_num,name,year,theme_id,num_parts,img_url", "", "part and quantity"},
		{"Rebrickable set list", "Set Number,Quantity,Includes Spares,Inventory Ver", "", "part"},
		{"Rebrickable MOC parts, semicolons", "Part;Color;Quantity;Is Spare", "Part,Color,Quantity", ""},
		{"BrickLink Studio", "BLItemNo,ElementId,LdrawId,PartName,BLColorId,LDrawColorId,ColorName,ColorCategory,Qty,Weight", "BLItemNo,ColorName,Qty", ""},
		{"BrickLink Studio, tabs", "BLItemNo\tElementId\tLdrawId\tPartName\tBLColorId\tLDrawColorId\tColorName\tColorCategory\tQty\tWeight", "BLItemNo,ColorName,Qty", ""},
		{"BrickLink set inventory", "Type\tItem No\tItem Name\tQty\tColor ID\tExtra?\tAlternate?\tMatch ID\tCounterpart?", "Item No,Color ID,Qty", ""},
		{"BrickLink order", "Condition\tItem Number\tItem Description\tColor\tComments\tQty\tEach\tTotal", "Item Number,Color,Qty", ""},
		{"BrickLink wanted list, converted", "ITEMTYPE,ITEMID,COLOR,MAXPRICE,MINQTY,CONDITION,NOTIFY", "", "quantity"},
		{"BrickLink store inventory", "Lot ID,Color ID,Color,Item No,Category,Qty,Price,Condition,Remarks", "Item No,Color,Qty", ""},
		{"BrickStore", "Item No.;Description;Color;Qty.;Price;Remarks", "Item No.,Color,Qty.", ""},
		{"Brick Owl", "Part,Color,Num", "Part,Color,Num", ""},
		{"Brick Owl inventory", "BOID,Name,Color Name,Quantity,Condition", "", "part"},
		{"Pick a Brick", "elementId,quantity", "elementId,,quantity", ""},
		{"Pick a Brick, saved by Excel", "sep=;\nelementId;quantity", "elementId,,quantity", ""},
		{"LEGO customer service", "Element ID,Design ID,Description,Colour,Quantity", "Design ID,Colour,Quantity", ""},
		{"LDraw parts list", "LDraw ID,LDraw Color ID,Count", "LDraw ID,LDraw Color ID,Count", ""},
		{"LDCad bill of materials", "Number,Part,Color,Description", "", "quantity"},
		{"LeoCAD", "Part Name,Part ID,Color,Quantity", "Part ID,Color,Quantity", ""},
		{"Mecabricks", "Reference|Part Number|Colour Name|Qty", "Part Number,Colour Name,Qty", ""},
		{"a shared sheet", "My castle\n\n#,Part No.,Part name,Colour,Pcs,Note", "Part No.,Colour,Pcs", ""},
		{"a shared sheet, British", "Item;Colour;Amount;Have", "Item,Colour,Amount", ""},
		{"Excel, Unicode text", "Design ID\tColor Code\tPieces", "Design ID,Color Code,Pieces", ""},
		{"a shop's order", "SKU,Title,Quantity Required,Price", "SKU,,Quantity Required", ""},
		{"KiCad, grouped", "Ref,Qnty,Value,Cmp name,Footprint,Description,Vendor", "", "part"},
		{
			"KiCad 5, grouped, titles",
			"Source:,C:\\x.sch\nDate:,today\nTool:,Eeschema 5\nGenerator:,bom.py\nComponent Count:,42\n\nIndividual Components:\nItem,Qty,Reference(s),Value,LibPart,Footprint,Datasheet", "Item,,Qty", "",
		},
		{"KiCad 8, schematic", "\"Reference\",\"Value\",\"Datasheet\",\"Footprint\",\"Qty\",\"DNP\"", "", "part"},
		{"KiCad 8, with part numbers", "Reference,Value,Footprint,Manufacturer Part,Qty", "Manufacturer Part,,Qty", ""},
		{"KiCad, board", "\"Id\";\"Designator\";\"Footprint\";\"Quantity\";\"Designation\";\"Supplier and ref\"", "", "part"},
		{"KiBoM", "Component,Description,Part,References,Value,Footprint,Quantity Per PCB,Datasheet", "Part,,Quantity Per PCB", ""},
		{"Eagle, values", "Qty;Value;Device;Package;Parts;Description", "", "part"},
		{"Eagle, parts", "Part;Value;Device;Package;Description", "", "quantity"},
		{"Eagle, part numbers", "\"Qty\";\"Value\";\"Device\";\"Package\";\"Parts\";\"MPN\"", "MPN,,Qty", ""},
		{"EasyEDA", "ID,Name,Designator,Footprint,Quantity,Manufacturer Part,Manufacturer,Supplier,Supplier Part,Price", "Manufacturer Part,,Quantity", ""},
		{"EasyEDA Pro", "No.\tQuantity\tComment\tDesignator\tFootprint\tValue\tManufacturer Part\tManufacturer\tSupplier Part\tSupplier", "Manufacturer Part,,Quantity", ""},
		{"JLCPCB", "Comment,Designator,Footprint,LCSC Part #", "", "part and quantity"},
		{"Altium", "Comment,Description,Designator,Footprint,LibRef,Quantity", "", "part"},
		{"Altium, purchase", "Line #,Name,Description,Designator,Quantity,Manufacturer 1,Manufacturer Part Number", "Manufacturer Part Number,,Quantity", ""},
		{"a distributor's cart", "Index,Quantity,Part Number,Manufacturer Part Number,Description,Customer Reference", "Part Number,,Quantity", ""},
	} {
		separator := ","
		last := tt.header[strings.LastIndex(tt.header, "\n")+1:]
		for _, other := range []string{";", "\t", "|"} {
			if strings.Contains(last, other) {
				separator = other
			}
		}
		row := strings.Repeat("1"+separator, strings.Count(last, separator)) + "1"
		_, s, err := importWild(t, []byte(tt.header+"\n"+row+"\n"))
		if tt.missing != "" {
			explained++
			found := strings.ReplaceAll(strings.Split(last, separator)[0], `"`, "")
			if err == nil || !strings.Contains(err.Error(), tt.missing) || !strings.Contains(err.Error(), `The columns found are "`+found+`", `) {
				t.Errorf("%s: error is %v, want the missing %s and the columns found", tt.tool, err, tt.missing)
			}
			continue
		}
		imported++
		got := s.Columns["part"] + "," + s.Columns["color"] + "," + s.Columns["quantity"]
		if err != nil || got != tt.want || s.Accepted != 1 {
			t.Errorf("%s: the columns are %s, %d rows are accepted, error %v, want %s and 1", tt.tool, got, s.Accepted, err, tt.want)
		}
	}
	t.Logf("of %d headers %d are imported, %d are explained", imported+explained, imported, explained)
	if imported+explained < 39 || imported < 30 {
		t.Errorf("%d of %d headers are imported, want 30 of at least 39", imported, imported+explained)
	}
}
