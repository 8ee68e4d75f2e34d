"""Words and fixed rows of the Udesk account: people of its market, agents, fields, channels."""

FAMILY = ("王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "马", "朱", "胡", "欧阳")
GIVEN = (
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超",
    "秀英", "建国", "桂兰", "志强", "雨桐", "子涵", "浩然", "欣怡", "梓萱",
)  # fmt: skip
COMPANIES = ("深圳市华云科技有限公司", "广州锦程物流", "杭州拾光贸易", "上海沐野家居", "成都蜀味食品")
HANDLES = ("wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "zhou", "wu", "xu", "sun")
MAIL_HOSTS = ("example.com", "example.org", "mail.example.net", "qq.example.com")
NOTES = (
    "老客户,每周三回访", "Khách hỏi giá gói năm", "已发送报价单", "Gọi lại sau 17h", "需要增值税发票",
    "投诉过一次,态度友好", "Wants a demo next week",
)  # fmt: skip
TAGS = ("重要客户", "待回访", "Khách sỉ", "已成交", "Hẹn gọi lại", "新客户", "VIP 2026", "潜在客户")
RICH_TAGS = ((1, "高意向", "#70BE72"), (2, "Nợ quá hạn", "#E25A5A"))
SOURCES = (
    ("手动创建", "手动录入"), ("呼入", "电话"), ("微信", "微信"), ("在线客服", "即时通讯"),
    ("API或SDK", "API"), ("批量导入", "手动录入"), ("Manual creation", "Manual entry"),
)  # fmt: skip
HOSTILE_NAMES = (
    "<script>alert('名字')</script>",
    '=HYPERLINK("http://evil.example/","点这里")',
    "\u202e反转\u202c 名字",
    "Robert'); DROP TABLE customers;--",
    "王🌸小明 👩‍👩‍👧‍👦",
    "第一行\r\nINFO 假日志",
    "长" * 255,
)
HOSTILE_NOTES = ("<svg/onload=alert(1)>", "@SUM(1+1)*cmd|' /C calc'!A0", "{{ 7*7 }}${7*7}", "长注释" * 85)
PHONE_FORMS = (
    "{0}", "+86 {0}", "+86{0}", "0086{0}", "{1} {2} {3}", "{1}-{2}-{3}", "86{0}",
)  # fmt: skip
ODD_PHONES = (
    "12345",
    "400-820-8820",
    "无",
    "13800138000转8001",
    "０１３８００１３８０００",
    "(010) 6505 1234",
)

#: agent id → (nick name, group ids)
AGENTS: dict[int, tuple[str, tuple[int, ...]]] = {
    1: ("客服小云", (1,)),
    2: ("客服小雨", (1, 2)),
    3: ("Lan Nguyễn", (2,)),
    4: ("Minh Trần", (3,)),
}
GROUPS = {1: "售前", 2: "售后", 3: "Việt Nam"}
ORGANIZATIONS = range(1, 13)
CHANNELS = {
    "weixins": ("wxf54489a1azz51885", "wxee100100100qwe"),
    "weixin_minis": ("wxc7279f8eefd70a4a",),
    "weixin_works": ("wxc727955fe6025ed4",),
}
WECHAT = [{"id": "wxf54489a1azz51885", "name": "公众号"}, {"id": "wxee100100100qwe", "name": "Zalo + WeChat"}]
WEIBO = [{"id": "wb1001001001", "name": "官方微博"}]
FILTERS = (
    {"id": 1, "name": "重要客户", "active": True},
    {"id": 2, "name": "已停用", "active": False},
    {"id": 3, "name": "黑名单", "active": True},
)


def _field(
    number: int, kind: str, title: str, content_type: str, options: object = None
) -> dict[str, object]:
    return {
        "id": number,
        "agent_permission": 2,
        "customer_permission": number % 4,
        "custom_field_name": f"{kind}Field_{number}",
        "title": title,
        "comment": "" if kind == "Text" else None,
        "content_type": content_type,
        "options": options,
    }


DEFINITIONS = [
    _field(1, "Text", "合同编号", "text"),
    _field(2, "Text", "Ghi chú giao hàng", "area_text"),
    _field(3, "Text", "续费日期", "date"),
    _field(4, "Text", "Giờ gọi", "time"),
    _field(5, "Text", "下次联系", "datetime"),
    _field(6, "Text", "网站", "link"),
    _field(7, "Text", "员工人数", "number"),
    _field(8, "Text", "信用额度", "numeric"),
    _field(1, "Select", "客户来源", "droplist", [{"0": "展会"}, {"1": "Giới thiệu"}, {"2": "官网"}]),
    _field(2, "Select", "付款方式", "radio", [{"0": "月结"}, {"1": "Trả trước"}]),
    _field(3, "Select", "兴趣", "checkbox", [{"0": "电话"}, {"1": "在线"}, {"2": "工单"}, {"3": "Bot"}]),
]
FIELD_VALUES: dict[str, tuple[object, ...]] = {
    "TextField_1": ("HT-2026-001", "00123", "=1+1", "<b>合同</b>"),
    "TextField_2": ("送货前打电话\r\nGọi trước 30 phút", "放在前台"),
    "TextField_3": ("2026-08-11", "2027-01-31"),
    "TextField_4": ("14:44:36", "09:00:00"),
    "TextField_5": ("2026-11-30 14:44",),
    "TextField_6": ("https://www.example.com/a?b=1", "javascript:alert(1)"),
    "TextField_7": ("13", "250"),
    "TextField_8": ("13.33", "5000000"),
    "SelectField_1": (["0"], ["2"]),
    "SelectField_2": (["0"], ["1"]),
    "SelectField_3": (["0", "3"], ["1"], ["0", "1", "2", "3"]),
}
