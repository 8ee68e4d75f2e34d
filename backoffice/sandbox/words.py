"""Words the seed draws from: Vietnamese names and places, CRM labels, and hostile text."""

FAMILY = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô",
    "Dương", "Lý", "Đinh", "Trương", "Lâm", "Mai", "Cao", "Tạ", "Châu", "Quách", "Tôn Nữ",
)  # fmt: skip
MIDDLE = (
    "Văn", "Thị", "Hữu", "Đức", "Minh", "Ngọc", "Thanh", "Quốc", "Gia", "Thu", "Bảo", "Khánh", "Xuân",
    "Hoài", "Phương", "Tuấn", "Anh", "Mỹ", "Kim", "Diệu", "",
)  # fmt: skip
GIVEN = (
    "An", "Bình", "Châu", "Dũng", "Đạt", "Giang", "Hà", "Hải", "Hạnh", "Hiếu", "Hòa", "Hùng", "Huyền",
    "Khoa", "Lan", "Linh", "Long", "Mai", "Nam", "Nga", "Nghĩa", "Nhung", "Oanh", "Phong", "Phúc", "Quân",
    "Quỳnh", "Sơn", "Tâm", "Thảo", "Thịnh", "Thủy", "Trang", "Trí", "Trúc", "Tú", "Uyên", "Vân", "Việt",
    "Vy", "Yến", "Ý",
)  # fmt: skip
COMPANY_FORMS = ("Công ty TNHH", "Công ty Cổ phần", "Doanh nghiệp tư nhân", "Hợp tác xã", "Cửa hàng")
COMPANY_LINES = (
    "Thương mại Dịch vụ", "Xây dựng", "Vận tải", "Thực phẩm", "Nội thất", "Phần mềm", "Dược phẩm",
    "Du lịch", "May mặc", "Nông sản", "Thiết bị điện", "Giáo dục",
)  # fmt: skip
COMPANY_NAMES = (
    "Hoàng Gia", "Thành Đạt", "Phú Quý", "Đông Á", "Sao Việt", "Bình Minh", "Hải Âu", "Tân Tiến",
    "An Khang", "Đại Phát", "Mekong Xanh", "Trường Sơn", "Lạc Việt", "Ánh Dương",
)  # fmt: skip
CITIES = (
    ("Hồ Chí Minh", "79", ("Quận 1", "Quận 3", "Quận Tân Bình", "Quận Gò Vấp", "Thành phố Thủ Đức")),
    ("Hà Nội", "01", ("Quận Ba Đình", "Quận Đống Đa", "Quận Cầu Giấy", "Huyện Gia Lâm")),
    ("Đà Nẵng", "48", ("Quận Hải Châu", "Quận Thanh Khê", "Quận Sơn Trà")),
    ("Cần Thơ", "92", ("Quận Ninh Kiều", "Quận Cái Răng")),
    ("Bình Dương", "74", ("Thành phố Thủ Dầu Một", "Thành phố Dĩ An")),
    ("Khánh Hòa", "56", ("Thành phố Nha Trang", "Thành phố Cam Ranh")),
    ("Thừa Thiên Huế", "46", ("Thành phố Huế",)),
)
WARDS = (
    "Phường 12",
    "Phường Bến Nghé",
    "Phường Thảo Điền",
    "Phường Dịch Vọng",
    "Phường Hải Châu 1",
    "Xã Đa Tốn",
)
STREETS = (
    "Nguyễn Kiệm", "Lê Lợi", "Trần Hưng Đạo", "Điện Biên Phủ", "Cách Mạng Tháng Tám", "Hai Bà Trưng",
    "Phạm Văn Đồng", "Võ Văn Kiệt", "Nguyễn Huệ", "Đường 30/4",
)  # fmt: skip
INDUSTRIES = ("Bất động sản", "Bán lẻ", "Giáo dục", "Y tế", "Công nghệ", "Vận tải", "Nhà hàng", "Tài chính")
STAGES = (
    "Khách mới",
    "Chưa liên hệ",
    "Đang tư vấn",
    "Đã báo giá",
    "Đang đàm phán",
    "Đã chốt",
    "Không nhu cầu",
)
TAGS = (
    "VIP", "Chưa liên hệ", "Đã liên hệ", "Hẹn gọi lại", "Khách sỉ", "Khách lẻ", "Hội thảo T5", "Zalo OA",
    "Nợ quá hạn", "Ưu tiên", "Không làm phiền",
)  # fmt: skip
SOURCES = ("Website", "Facebook Ads", "Zalo", "Giới thiệu", "Hội chợ", "Tổng đài", "Google Ads", "Quảng cáo")
RANKS = (("", 0), ("Thành viên", 100), ("Bạc", 1000), ("Vàng", 5000), ("Kim cương", 20000))
NOTES = (
    "Khách VIP, gọi sau 17h", "Quan tâm gói năm", "Đã gửi báo giá qua email", "Hẹn gặp tại văn phòng",
    "Cần hóa đơn đỏ", "Gọi nhiều lần không bắt máy", "Khách quen của chi nhánh Đà Nẵng",
)  # fmt: skip
BOTS = ("PERSONAL_ZALO", "FACEBOOK", "API", "IMPORT", "")
STAFF = (
    ("lan.nguyen@staff.example.com", "Nguyễn Thị Lan"),
    ("minh.tran@staff.example.com", "Trần Quang Minh"),
    ("huong.le@staff.example.com", "Lê Thu Hương"),
    ("duc.pham@staff.example.com", "Phạm Minh Đức"),
    ("thao.vo@staff.example.com", "Võ Phương Thảo"),
    ("khoa.dang@staff.example.com", "Đặng Anh Khoa"),
    ("yen.bui@staff.example.com", "Bùi Hải Yến"),
    ("son.do@staff.example.com", "Đỗ Thanh Sơn"),
)
CUSTOM_FIELDS = (
    ("Đơn vị vận chuyển", ("Giao hàng nhanh", "Viettel Post", "Tự lấy", "")),
    ("Hạn mức công nợ", ("5000000", "20000000", "0", "1e3")),
    ("Mã hợp đồng", ("HD-2025-001", "HD/88", "00123", "=1+1")),
    ("Ngày gia hạn", ("2026-01-31", "31/12/2025", "")),
    ("Shipping unit", ("Fast delivery", "Standard")),
)
HOSTILE_NAMES = (
    "<script>alert('ten')</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil.example/","Bấm vào đây")',
    "+1+1 cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "\u202eTrần gnưhC\u202c đảo chiều",
    "Nguyễn 🌸 Bảo Châu 👩‍👩‍👧‍👦",
    "{{ 7*7 }}{% debug %} ${7*7}",
    "Lê\tVăn\x07 Chuông\x1b[31m đỏ",
    "Robert'); DROP TABLE contacts;--",
    "Z̷̢̛a̸l̶g̴o̸ ̷Đ̸ỗ̵",
    "Dòng một\r\nINFO dòng giả trong nhật ký",
    "\u200b\u200bẨn\ufeff Danh\u00ad",
    "Nguyê\u0303n Va\u0306n Phân Rã",
    "Đặng Tên Rất Dài " + "Nguyễn Phúc Bảo " * 40,
    "A" * 4000,
)
HOSTILE_NOTES = (
    "<svg/onload=alert(document.cookie)>",
    '<a href="javascript:alert(1)">xem hồ sơ</a>',
    '=cmd|"/C calc"!A1',
    "\t=1+1",
    "＝1+1 dạng toàn chiều",
    "ghi chú rất dài " * 700,
    "' OR '1'='1' --",
    "%s %(name)s {0} {name!r}",
    "dòng 1\ndòng 2\r\ndòng 3\u2028dòng 4",
)
HOSTILE_LINKS = (
    ("Facebook", "javascript:alert(document.domain)"),
    ("Facebook", "JaVaScRiPt:alert(1)"),
    ("Zalo", "data:text/html,<script>alert(1)</script>"),
    ("Website", "//evil.example/%2e%2e"),
    ("Skype", "vbscript:msgbox(1)"),
)
ODD_PHONES = ("12345", "không có", "0000000000", "09348908", "0934 890 883 / 0912 345 678", "", "+84",
              "1900 1234", "(+84) 0934890883", "０９３４８９０８８３", "0934-890-883 ext 12")  # fmt: skip
FOREIGN_PHONES = ("+1 415 555 0132", "+44 20 7946 0958", "+65 6123 4567", "+82 2 312 3456", "+61 2 5550 1234")
MOBILE_PREFIXES = (
    "032", "035", "038", "039", "052", "056", "070", "077", "079", "081", "085", "086", "088", "090",
    "091", "093", "096", "098",
)  # fmt: skip
MAIL_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com", "congty.example.com")
