/* The words of one alert's page. */

export const ALERT_PAGE_WORDS = {
  en: {
    missing: "Say which alert: /finance/alert?id=…", back: "All alerts",
    f_series: "Series", f_rule: "Rule", f_started: "First seen", f_fired: "Fired", f_resolved: "Resolved", f_owner: "Owner", f_notified: "Last notified", f_window: "Window",
    f_value: "Measured", f_expected: "Usual", f_limit: "Limit", f_p: "Chance", p_hint: "Chance of such a value, or a greater one, under what is usual",
    by_rule: "by the rule itself", evidence: "Evidence", frozen: "Frozen {at}", evidence_first: "When it fired", evidence_latest: "When it came back", no_evidence: "No evidence was kept for this alert yet.",
    measure_negative: "Negative stories", measure_volume: "Stories", measure_share_negative: "Share negative", measure_mean_score: "Mean score",
    key_value: "Measured", key_expected: "Usual", key_window: "Window judged", say_bucket: "{at}: {value}, usual {expected}",
    top_stories: "Stories by influence", influence: "{n}% of the window's negative weight", in_trends: "Show in trends", last_text: "Latest text: {at}",
    totals: "{stories} stories in {texts} texts, {negative} of them negative ({share})",
    trail: "What happened", comments: "Comments", no_comments: "Nobody has commented yet.", notifications: "Notifications", as_table: "Figures as a table", col_from: "From",
    a_pending: "Seen by the rule", a_inactive: "Passed without firing", a_firing: "Fired", a_reopened: "Came back", a_no_data: "No more data", a_resolved: "Resolved", a_severity: "Severity {before} → {after}",
    a_acknowledged: "Acknowledged", a_assigned: "Assigned to {owner}", a_unassigned: "Given back", a_comment: "Commented", a_silenced: "Silenced", a_unsilenced: "No longer silenced", a_inhibited: "Covered by alert {alert_id}", a_uninhibited: "No longer covered",
    a_notified: "Notified: {channels}", a_escalated: "Escalated: {channels}", actor_rule: "rule", actor_system: "system",
    no_channel: "no channel is set up", n_waiting: "waiting", n_delivered: "delivered", n_dead: "given up", n_attempts: "{n} tries",
  },
  zh: {
    missing: "请指明告警：/finance/alert?id=…", back: "全部告警",
    f_series: "序列", f_rule: "规则", f_started: "首次出现", f_fired: "触发时间", f_resolved: "解决时间", f_owner: "负责人", f_notified: "最近通知", f_window: "窗口",
    f_value: "实测值", f_expected: "常态值", f_limit: "阈值", f_p: "概率", p_hint: "常态下出现该值或更高值的概率",
    by_rule: "由规则自行恢复", evidence: "证据", frozen: "冻结于 {at}", evidence_first: "触发时", evidence_latest: "再次出现时", no_evidence: "此告警尚未留存证据。",
    measure_negative: "负面事件数", measure_volume: "事件数", measure_share_negative: "负面占比", measure_mean_score: "平均得分",
    key_value: "实测值", key_expected: "常态值", key_window: "判定窗口", say_bucket: "{at}：{value}，常态 {expected}",
    top_stories: "按影响力排列的事件", influence: "占窗口负面权重的 {n}%", in_trends: "在趋势中查看", last_text: "最新文本：{at}",
    totals: "{texts} 篇文本，共 {stories} 个事件，其中负面 {negative} 个（{share}）",
    trail: "处理经过", comments: "评论", no_comments: "暂无评论。", notifications: "通知", as_table: "以表格显示数据", col_from: "起始时间",
    a_pending: "规则首次发现", a_inactive: "未触发即消退", a_firing: "触发", a_reopened: "再次出现", a_no_data: "数据中断", a_resolved: "已解决", a_severity: "级别 {before} → {after}",
    a_acknowledged: "已确认", a_assigned: "指派给 {owner}", a_unassigned: "已交还", a_comment: "发表评论", a_silenced: "已静默", a_unsilenced: "静默结束", a_inhibited: "由告警 {alert_id} 涵盖", a_uninhibited: "不再被涵盖",
    a_notified: "已通知：{channels}", a_escalated: "已升级：{channels}", actor_rule: "规则", actor_system: "系统",
    no_channel: "尚未设置渠道", n_waiting: "等待中", n_delivered: "已送达", n_dead: "已放弃", n_attempts: "尝试 {n} 次",
  },
};
