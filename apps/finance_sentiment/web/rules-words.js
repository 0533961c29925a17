/* The words of the page of rules, silences and channels. */

export const RULE_WORDS = {
  en: {
    col_rule: "Rule", col_series: "Series", col_kind: "Kind", col_state: "State", col_acts: "Acts", on: "on", off: "off", each: "each {dimension}",
    switch_on: "Switch on", switch_off: "Switch off", edit: "Change", reset: "As shipped", remove: "Delete", remove_sure: "Really delete?", add_rule: "Add a rule",
    edit_lead: "A rule as JSON. Times are in seconds.", save: "Save", not_json: "This is not JSON: {why}", needs_id: "The rule needs an id.",
    kind_absolute: "fixed limit", kind_ratio: "multiple of before", kind_share_shift: "share shift", kind_seasonal: "seasonal baseline", kind_count_tail: "unlikely count",
    kind_change_point: "change point", kind_no_data: "no data", kind_all: "all parts", kind_any: "any part",
    saved: "Rule {id} is in force.", deleted: "Rule {id} is deleted.",
    silences: "Silences", no_silences: "Nothing is silenced. A silence is made on an alert.", col_what: "What", col_until: "Until", col_why: "Reason", end_now: "End now", ended: "The silence is over.", by: "Your name",
    state_active: "active", state_scheduled: "scheduled", state_expired: "over",
    channels: "Channels", no_channels: "Alerts are sent nowhere yet. They stand on the first page.", col_channel: "Channel", col_health: "Delivery", col_waiting: "Waiting", test: "Send a test",
    works: "works", failing: "failing", unused: "never used", tested: "{name}: {detail}", add_channel: "Add a channel", name: "Name", kind: "Kind", url: "Address", secret: "Secret", to: "To (addresses, separated by commas)",
    host: "Mail server", port: "Port", sender: "Sender", username: "User name", least: "From severity", add: "Add", added: "Channel {name} is there. Send it a test.", gone_channel: "Channel {name} is forgotten.",
    needs_key: "The channels are shown with the admin key.", show: "Show the channels", severity_critical: "Critical", severity_warning: "Warning", severity_info: "Info",
  },
  zh: {
    col_rule: "规则", col_series: "序列", col_kind: "类型", col_state: "状态", col_acts: "操作", on: "启用", off: "停用", each: "每个{dimension}",
    switch_on: "启用", switch_off: "停用", edit: "修改", reset: "恢复出厂设置", remove: "删除", remove_sure: "确定删除？", add_rule: "添加规则",
    edit_lead: "以 JSON 表示的规则，时间单位为秒。", save: "保存", not_json: "这不是 JSON：{why}", needs_id: "规则需要 id。",
    kind_absolute: "固定阈值", kind_ratio: "较此前倍数", kind_share_shift: "占比变化", kind_seasonal: "季节基线", kind_count_tail: "罕见数量",
    kind_change_point: "突变点", kind_no_data: "无数据", kind_all: "全部满足", kind_any: "任一满足",
    saved: "规则 {id} 已生效。", deleted: "规则 {id} 已删除。",
    silences: "静默", no_silences: "没有静默。可在告警上设置静默。", col_what: "对象", col_until: "截止", col_why: "原因", end_now: "立即结束", ended: "静默已结束。", by: "您的姓名",
    state_active: "生效中", state_scheduled: "已排期", state_expired: "已结束",
    channels: "通知渠道", no_channels: "告警尚未发往任何渠道，仅显示在首页。", col_channel: "渠道", col_health: "投递", col_waiting: "待发送", test: "发送测试",
    works: "正常", failing: "失败", unused: "未使用", tested: "{name}：{detail}", add_channel: "添加渠道", name: "名称", kind: "类型", url: "地址", secret: "密钥", to: "收件人（以逗号分隔）",
    host: "邮件服务器", port: "端口", sender: "发件人", username: "用户名", least: "起始级别", add: "添加", added: "渠道 {name} 已添加，请发送测试。", gone_channel: "渠道 {name} 已移除。",
    needs_key: "查看渠道需要管理密钥。", show: "显示渠道", severity_critical: "严重", severity_warning: "警告", severity_info: "提示",
  },
};
